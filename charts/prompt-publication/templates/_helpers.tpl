{{/* The name of the chart, and of its container. */}}
{{- define "prompt-publication.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of everything that the release makes. */}}
{{- define "prompt-publication.fullname" -}}
{{- $name := include "prompt-publication.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "prompt-publication.selectorLabels" -}}
app.kubernetes.io/name: {{ include "prompt-publication.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "prompt-publication.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | quote }}
{{ include "prompt-publication.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end }}

{{- define "prompt-publication.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "prompt-publication.secretName" -}}
{{ .Values.secrets.existingSecret | default (include "prompt-publication.fullname" .) }}
{{- end }}

{{- define "prompt-publication.host" -}}
{{- $host := .Values.global.host | default (get (urlParse (.Values.global.baseUrl | default "")) "host") -}}
{{ required "global.host (or global.baseUrl) must be set for an ingress" $host }}
{{- end }}

{{/* Where Gafaelfawr is, if users are known by it. */}}
{{- define "prompt-publication.gafaelfawrUrl" -}}
{{- if .Values.web.gafaelfawrUrl -}}
{{ .Values.web.gafaelfawrUrl }}
{{- else if .Values.ingress.gafaelfawr.enabled -}}
{{ required "global.baseUrl must be set with ingress.gafaelfawr" .Values.global.baseUrl }}/auth
{{- else if not .Values.web.jwt.jwksUrl -}}
{{ fail "nothing says how users are known: set ingress.gafaelfawr.enabled, web.gafaelfawrUrl (a URL or DISABLED) or web.jwt.jwksUrl" }}
{{- end }}
{{- end }}

{{- define "prompt-publication.backend" -}}
service:
  name: {{ include "prompt-publication.fullname" . | quote }}
  port:
    number: {{ .Values.service.port }}
{{- end }}

{{/* What a container may not do. */}}
{{- define "prompt-publication.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end }}

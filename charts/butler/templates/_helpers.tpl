{{/* The name of the chart, and of its container. */}}
{{- define "butler.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of everything that the release makes. */}}
{{- define "butler.fullname" -}}
{{- $name := include "butler.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "butler.selectorLabels" -}}
app.kubernetes.io/name: {{ include "butler.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "butler.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | quote }}
{{ include "butler.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end }}

{{- define "butler.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "butler.secretName" -}}
{{ .Values.secrets.existingSecret | default (include "butler.fullname" .) }}
{{- end }}

{{- define "butler.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (ternary (include "butler.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "butler.host" -}}
{{- $host := .Values.global.host | default (get (urlParse .Values.global.baseUrl) "host") -}}
{{ required "global.host (or global.baseUrl) must be set for an ingress" $host }}
{{- end }}

{{/* Where Gafaelfawr is, if users are known by it. */}}
{{- define "butler.gafaelfawrUrl" -}}
{{- if .Values.config.gafaelfawrUrl -}}
{{ .Values.config.gafaelfawrUrl }}
{{- else if .Values.ingress.gafaelfawr.enabled -}}
{{ required "global.baseUrl must be set with ingress.gafaelfawr" .Values.global.baseUrl }}/auth
{{- else if not .Values.config.jwt.jwksUrl -}}
{{ fail "nothing says how users are known: set ingress.gafaelfawr.enabled, config.gafaelfawrUrl (a URL or DISABLED) or config.jwt.jwksUrl" }}
{{- end }}
{{- end }}

{{/* What a container may not do. */}}
{{- define "butler.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end }}

{{/* The paths of repositories that need no token: for each label `list label path`. */}}
{{- define "butler.anonymousPaths" -}}
{{- range $label, $_ := .Values.config.repositories }}
{{- range list "butler.yaml" "butler.json" "v1/file" }}
- path: {{ printf "%s/repo/%s/%s" $.Values.config.pathPrefix $label . | quote }}
  {{- /* ingress-nginx refuses dots in exact paths. */}}
  pathType: {{ ternary "ImplementationSpecific" "Prefix" (contains "." .) }}
  backend: {{ include "butler.backend" $ | nindent 4 }}
{{- end }}
{{- end }}
- path: {{ printf "%s/configs" .Values.config.pathPrefix | quote }}
  pathType: Prefix
  backend: {{ include "butler.backend" . | nindent 4 }}
{{- end }}

{{- define "butler.authenticatedPaths" -}}
{{- range $label, $_ := .Values.config.repositories }}
- path: {{ printf "%s/repo/%s" $.Values.config.pathPrefix $label | quote }}
  pathType: Prefix
  backend: {{ include "butler.backend" $ | nindent 4 }}
{{- end }}
{{- end }}

{{- define "butler.backend" -}}
service:
  name: {{ include "butler.fullname" . | quote }}
  port:
    number: {{ .Values.service.port }}
{{- end }}

{{/* The configuration of a repository, with what values say of its database. */}}
{{- define "butler.butlerConfig" -}}
{{- $text := .content }}
{{- if not (kindIs "string" $text) }}{{ $text = toYaml $text }}{{ end }}
{{- $text = tpl $text .root }}
{{- $stem := trimSuffix ".yaml" .name }}
{{- $registry := dict }}
{{- with get .root.Values.config (printf "%sPostgresUri" $stem) }}{{ $_ := set $registry "db" . }}{{ end }}
{{- with get .root.Values.config (printf "%sPostgresSchema" $stem) }}{{ $_ := set $registry "namespace" . }}{{ end }}
{{- if $registry }}
{{- toYaml (mergeOverwrite (fromYaml $text) (dict "registry" $registry)) }}
{{- else }}
{{- $text }}
{{- end }}
{{- end }}

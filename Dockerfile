# The container image: all programs, and nothing else but what they need. `docker build --tag butler .`
#
# What is built is what `cargo xtask dist` builds without Docker; docs/operator-guide.md says how to get a bill of
# materials.

FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The time of the commit, if two builds are to give the same archive:
# --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
ARG SOURCE_DATE_EPOCH=0
# Relocations take two megabytes less of a server's memory in the short form that C libraries read since glibc 2.36, as
# this image's and its base's do; the archive is for older ones too.
ENV RUSTFLAGS="-Clink-arg=-Wl,-z,pack-relative-relocs"
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo xtask dist --output /dist \
    && mkdir /image \
    && tar --extract --file "$(ls /dist/*.tar.gz)" --directory /image --strip-components 1

# The C library, OpenSSL (for `butler-pps` and Kafka), certificates and time zones; no zlib, no shell, no package manager.
# What programs need of it is tested.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/bin/ /usr/local/bin/
COPY --from=build /image/LICENSE-APACHE /image/LICENSE-MIT /image/DEPENDENCIES /usr/share/doc/butler/
LABEL org.opencontainers.image.title="butler" \
      org.opencontainers.image.description="A data butler: server, command line, publication services" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["/usr/local/bin/butler-server", "healthcheck"]
CMD ["/usr/local/bin/butler-server"]

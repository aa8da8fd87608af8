# The agent's image: `docker build .`, or `cargo xtask image --docker`, which names version and commit too.
#
# `cargo xtask image` packs the same without an engine. What is in the image is said there (scripts/xtask/src/image.rs);
# here its files are laid out, and copied.
FROM --platform=$BUILDPLATFORM rust:1.95-bookworm AS build
ARG BUILDARCH
ARG TARGETARCH
# A machine builds for its own architecture and, with Debian's cross compiler, for the other one.
RUN if [ "$BUILDARCH" != "$TARGETARCH" ]; then \
        case "$TARGETARCH" in \
            arm64) packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;; \
            amd64) packages="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;; \
        esac && \
        apt-get update && apt-get install --yes --no-install-recommends $packages; \
    fi
WORKDIR /sealgate
COPY . .
ARG COMMIT=unknown
RUN SEALGATE_COMMIT="$COMMIT" cargo xtask image --arch "$TARGETARCH" --tree /image

# One program, linked statically, with the filter in it: no shell, no libraries, no root.
FROM scratch
ARG COMMIT=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="Sealgate's agent" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/usr /usr
# Where the socket lies, for Envoy's group, and what outlives the agent: volumes take owner and mode from here.
COPY --from=build --chown=65532:101 /image/run /run
COPY --from=build --chown=65532:65532 /image/var /var
ENV PATH=/usr/bin
USER 65532:65532
ENTRYPOINT ["/usr/bin/sealgate"]
CMD ["run"]

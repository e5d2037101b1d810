# The image has the program, the certificates of public authorities, and nothing else: no shell, no libc,
# no package that could need an update. The binary is static and built before: `make image` does both.
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD) --tag NAME target/image/context
#
# and the same with podman and buildah (--file Dockerfile where the context is elsewhere).
FROM scratch

ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="modelarts-pool-controller" \
      org.opencontainers.image.description="Mirrors the resource pools of Huawei Cloud ModelArts, read-only, into a Kubernetes cluster" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# Where rustls looks for what the system trusts; --ca-file adds to it.
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY LICENSE /LICENSE
COPY modelarts-pool-controller /modelarts-pool-controller

# A number, since Kubernetes can't tell by a name that it is not root (runAsNonRoot).
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/modelarts-pool-controller"]
CMD ["run"]

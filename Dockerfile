# syntax=docker/dockerfile:1
# Builds for linux/amd64 and linux/arm64: every dependency has a wheel for both, and the wheel of
# the exporter is pure Python, so no step needs the emulation of another architecture to compile.
# For a build that never changes, pin the base image: --build-arg BASE=python:3.13-slim-bookworm@sha256:…
ARG BASE=python:3.13-slim-bookworm

# The wheel is the same for every architecture, so it is built on that of the builder.
FROM --platform=$BUILDPLATFORM ${BASE} AS wheel
WORKDIR /src
COPY requirements-build.lock ./
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY docs docs
COPY exporter exporter
ARG REVISION=unknown
RUN printf '%s\n' "${REVISION}" > exporter/REVISION \
 && /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

FROM ${BASE} AS environment
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/exporter \
 && /opt/exporter/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY --from=wheel /wheels /wheels
RUN /opt/exporter/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl \
 && /opt/exporter/bin/pip uninstall --yes pip

FROM ${BASE}
ARG REVISION=unknown
ARG VERSION=0.1.0
ARG SOURCE=https://git.example.com/palette-snapshot-exporter
LABEL org.opencontainers.image.title="palette-snapshot-exporter" \
      org.opencontainers.image.description="Prometheus exporter for virtual machine snapshots on Spectro Cloud Palette" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=environment /opt/exporter /opt/exporter
ENV PATH=/opt/exporter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 10180
# It takes the flags of the container's command, and asks over TLS where the exporter serves TLS.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["palette-snapshot-exporter", "--health"]
ENTRYPOINT ["palette-snapshot-exporter"]

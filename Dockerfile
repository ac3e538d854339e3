# syntax=docker/dockerfile:1
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock requirements-dev.lock ./
RUN python -m venv /opt/exporter \
 && /opt/exporter/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
 && python -m venv /opt/tools \
 && /opt/tools/bin/pip install --no-cache-dir --require-hashes -r requirements-dev.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY docs docs
COPY exporter exporter
ARG REVISION=unknown
RUN printf '%s\n' "${REVISION}" > exporter/REVISION \
 && /opt/tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/exporter/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl \
 && /opt/exporter/bin/pip uninstall --yes pip

FROM python:${PYTHON}-slim-bookworm
ARG REVISION=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="palette-snapshot-exporter" \
      org.opencontainers.image.description="Prometheus exporter for virtual machine snapshots on Spectro Cloud Palette" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/exporter /opt/exporter
ENV PATH=/opt/exporter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 10180
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:10180/-/healthy', timeout=2)"]
ENTRYPOINT ["palette-snapshot-exporter"]

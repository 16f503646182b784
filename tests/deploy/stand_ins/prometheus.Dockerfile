# Debian's Prometheus in place of Prometheus' own image, where that cannot be pulled.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
RUN apt-get update && apt-get install -y --no-install-recommends prometheus && rm -rf /var/lib/apt/lists/*
RUN install -d -o 65534 -g 65534 /prometheus
ENTRYPOINT ["prometheus"]

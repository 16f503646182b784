# Debian's nginx in place of nginx's own image, where that cannot be pulled.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
RUN apt-get update && apt-get install -y --no-install-recommends nginx-light wget && rm -rf /var/lib/apt/lists/*
CMD ["nginx", "-g", "daemon off;"]

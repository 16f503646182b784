# docker build --target gateway .      REST and gRPC in front of the Triton that DEEPHAR_TRITON_URL names
# docker build --target triton .       the embedded Triton, on 127.0.0.1:8001 of whatever network it shares; models in /models
# docker build --target all-in-one .   the gateway with an embedded Triton of its own, on loopback; models in /models
# docker build --target engines .      TensorRT engines for Triton on a GPU; this repository's models/ is mounted at /app/models
# An older Docker without BuildKit builds all stages down to the target: `engines`, of Triton's large image, is the last.

# A base may be named with its digest: --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG TRITON_GPU_IMAGE=nvcr.io/nvidia/tritonserver:25.10-py3

FROM ${PYTHON_IMAGE} AS base
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1
WORKDIR /app

# The environments are made by the base image's pip and contain none: nothing is installed in a running container.
FROM base AS gateway-environment
COPY requirements/gateway.txt .
RUN python -m venv --without-pip /venv && pip --python /venv/bin/python install --require-hashes -r gateway.txt
COPY clients/python client
RUN pip --python /venv/bin/python install --no-deps ./client

# 100 MB less: debug symbols and NumPy's own tests. Libraries that wheels bring along have none, and are left as they are.
FROM gateway-environment AS gateway-trimmed
RUN apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
RUN find /venv -name "*.so" -not -path "*.libs/*" -exec strip --strip-debug {} + && \
    find /venv -path "*/numpy/*" -name tests -type d -prune -exec rm -r {} + && \
    /venv/bin/python -c "import av, cryptography.x509, cv2, grpc, ml_dtypes, numpy, pi_heif, PIL.Image, pydantic, simplejpeg, uvloop"

FROM base AS gateway
COPY --from=gateway-trimmed /venv /venv
COPY deploy/gateway_health.py ./
COPY clients/web clients/web
COPY samples samples
COPY service service
ENV DEEPHAR_HOST=0.0.0.0
ARG VERSION=unknown REVISION=unknown SOURCE=""
LABEL org.opencontainers.image.version=$VERSION org.opencontainers.image.revision=$REVISION \
    org.opencontainers.image.source=$SOURCE org.opencontainers.image.licenses=MIT
USER 10001:10001
EXPOSE 8080 8081
# Ready, not merely alive: Docker restarts nothing for its health, but shows it and lets `up --wait` wait for it.
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s CMD ["python", "gateway_health.py"]
CMD ["python", "-m", "service"]

FROM base AS triton-environment
COPY requirements/triton.txt .
# --no-deps: of nvidia-pytriton only the binaries are used.
RUN python -m venv --without-pip /venv && pip --python /venv/bin/python install --require-hashes --no-deps -r triton.txt

# The backend directory is made now: later the file system is read-only, and there is no compiler.
FROM triton-environment AS triton-backend
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY service/embedded_triton service/embedded_triton
RUN /venv/bin/python service/embedded_triton/launcher.py --repository /models --port 8001 --prepare-only

FROM base AS triton
# Triton's Python stub needs it. Python's own image has it, Debian's Python in its place has not.
RUN python -c "import ctypes; ctypes.CDLL('libpython3.11.so.1.0')" 2>/dev/null || { \
    apt-get update && apt-get install -y --no-install-recommends libpython3.11 && rm -rf /var/lib/apt/lists/*; }
COPY --from=triton-backend /venv /venv
COPY deploy/triton_health.py ./
COPY service/embedded_triton service/embedded_triton
ARG VERSION=unknown REVISION=unknown SOURCE=""
LABEL org.opencontainers.image.version=$VERSION org.opencontainers.image.revision=$REVISION \
    org.opencontainers.image.source=$SOURCE org.opencontainers.image.licenses=MIT
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s CMD ["python", "triton_health.py"]
CMD ["python", "service/embedded_triton/launcher.py", "--repository", "/models", "--port", "8001", "--metrics-port", "8002"]

FROM gateway AS all-in-one
COPY --from=triton /venv .venv-triton
ENV DEEPHAR_MODEL_REPOSITORY=/models

# Triton's own image: an engine runs in the very TensorRT that built it. The image has TensorRT's libraries but no Python
# for them; that comes in the same version and without libraries of its own.
FROM ${TRITON_GPU_IMAGE} AS engines
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
# The versions of requirements/models.txt, as far as they are needed here.
RUN python3 -m venv --without-pip /venv && python3 -m pip --python /venv/bin/python install \
    click==8.5.1 grpcio==1.85.1 numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 polygraphy==0.53.6 protobuf==6.33.6 \
    "tritonclient[grpc]==2.73.0"
RUN if [ -n "$TRT_VERSION" ]; then \
    package="tensorrt-cu${CUDA_VERSION%%.*}" version="${TRT_VERSION%%+*}" && \
    python3 -m pip --python /venv/bin/python install --no-deps "$package==$version" "$package-bindings==$version"; fi
ENV PATH=/venv/bin:$PATH
# A new volume takes the owner of the folder that it covers.
RUN mkdir /engines /cache && chown 1000:1000 /engines /cache
ARG VERSION=unknown REVISION=unknown SOURCE=""
LABEL org.opencontainers.image.version=$VERSION org.opencontainers.image.revision=$REVISION \
    org.opencontainers.image.source=$SOURCE org.opencontainers.image.licenses=MIT
USER 1000:1000
CMD ["python", "-m", "models.tensorrt_engine.command", "--all", "--repository", "/models", "--engines", "/engines", "--cache", "/cache"]

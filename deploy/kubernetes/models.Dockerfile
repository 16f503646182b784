# docker build -f deploy/kubernetes/models.Dockerfile -t deephar-serve/models:VERSION .
# The model repository, to be copied into a pod's volume, and the code that builds engines of it.
ARG BASE_IMAGE=busybox:1.37
FROM ${BASE_IMAGE}
COPY model_repository /repository
COPY models /code/models
COPY service /code/service
USER 10001:10001

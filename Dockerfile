# syntax=docker/dockerfile:1
# docker build -t instar .
# docker run -p 127.0.0.1:8080:8080 --read-only --tmpfs /tmp -v instar:/data -e INSTAR_ADMIN_KEY=... instar
#
# MODEL is the checkpoint of the first start: all-MiniLM-L6-v2, which is in the image, or the name of a folder or zip in
# CHECKPOINTS, whose content becomes a part of the image. EXTRAS are those of pyproject.toml: int8, map, postgresql, trainer.

FROM python:3.11.14-slim-bookworm AS build
ARG EXTRAS=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
# The build of PyTorch for CPUs alone; the default one brings gigabytes of CUDA.
RUN python -m venv /opt/instar \
    && /opt/instar/bin/pip install --index-url https://download.pytorch.org/whl/cpu -c constraints.txt torch
COPY instar instar
COPY service service
COPY trainer trainer
RUN /opt/instar/bin/pip install -c constraints.txt ".[${EXTRAS}]"

FROM python:3.11.14-slim-bookworm
ARG MODEL=all-MiniLM-L6-v2
ARG CHECKPOINTS=deploy/checkpoints
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin instar \
    && install -d -o instar -g instar -m 0750 /data /secrets
COPY --from=build /opt/instar /opt/instar
COPY ${CHECKPOINTS} /checkpoints/
ENV PATH=/opt/instar/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/tmp/huggingface \
    INSTAR_HOST=0.0.0.0 \
    INSTAR_DATA_DIR=/data \
    INSTAR_CHECKPOINTS_DIR=/checkpoints \
    INSTAR_MODEL=${MODEL}
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# A first start embeds the whole corpus; it lives all the time, and /ready says when it answers.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health', timeout=4)"]
CMD ["instar", "serve"]

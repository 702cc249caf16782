# syntax=docker/dockerfile:1
# docker build -t instar .
# docker run -p 127.0.0.1:8080:8080 --read-only --tmpfs /tmp -v instar:/data -e INSTAR_ADMIN_KEY=... instar
#
# MODEL is the checkpoint of the first start: all-MiniLM-L6-v2, which is in the image, or the name of a folder or zip in
# CHECKPOINTS, whose content becomes a part of the image. EXTRAS are those of pyproject.toml, with commas between them: int8,
# load, map, postgresql, ray (which brings postgresql), tracing, trainer.

FROM python:3.11.14-slim-bookworm AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY instar instar
COPY service service
COPY trainer trainer
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheel .

FROM python:3.11.14-slim-bookworm AS environment
ARG EXTRAS=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PYTHON=/opt/instar/bin/python
WORKDIR /src
COPY constraints.txt ./
# The build of PyTorch for CPUs alone; the default one brings gigabytes of CUDA.
RUN python -m venv --without-pip /opt/instar \
    && pip install --no-deps --index-url https://download.pytorch.org/whl/cpu -c constraints.txt torch
COPY --from=wheel /wheel /wheel
RUN pip install -c constraints.txt "$(echo /wheel/*.whl)${EXTRAS:+[$EXTRAS]}"
# Programs, headers and tests, which nothing imports, and what OpenVINO needs on other devices than a CPU.
WORKDIR /opt/instar/lib/python3.11/site-packages
RUN rm -r torch/test torch/include torch/bin/*[Tt]est* torch/bin/protoc* openvino/libs/libopenvino_intel_[gn]pu_plugin.so \
    && find . -type d -name tests -prune -exec rm -r {} +

FROM python:3.11.14-slim-bookworm
ARG MODEL=all-MiniLM-L6-v2
ARG CHECKPOINTS=deploy/checkpoints
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin instar \
    && install -d -o instar -g instar -m 0750 /data /secrets
COPY --from=environment /opt/instar /opt/instar
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
    CMD ["python", "-m", "service.process.health"]
CMD ["instar", "serve"]

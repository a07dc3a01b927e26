# Builds with BuildKit and with the classic builder (docker-compose 1.29) alike.
ARG PYTHON_VERSION=3.13
# Put before the names of base images, where they come from another registry; it ends with a slash.
ARG IMAGE_PREFIX=""

FROM ${IMAGE_PREFIX}python:${PYTHON_VERSION}-slim AS builder
# Another package index than the usual one; what it gives is checked against the same hashes.
ARG PIP_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /opt/vidgate

# Everything that the lock names is fetched and checked against its hashes. What builds the wheel and
# what is installed below is taken from there alone; the development tools stay behind.
COPY requirements.lock ./
RUN python -m pip download --require-hashes --no-deps --only-binary=:all: \
        --dest /wheels --requirement requirements.lock

COPY LICENSE README.md pyproject.toml ./
COPY migrations ./migrations
COPY src ./src
RUN python -m pip wheel --no-deps --no-index --find-links /wheels --wheel-dir /build/dist .

# `embedded` adds the PostgreSQL binaries and `sandbox` the stand-ins for the providers: "embedded,sandbox".
ARG EXTRAS=""
RUN python -m pip --python /opt/vidgate/bin/python install --no-index --find-links /wheels \
        "$(echo /build/dist/vidgate-*.whl)${EXTRAS:+[$EXTRAS]}"


FROM ${IMAGE_PREFIX}python:${PYTHON_VERSION}-slim
LABEL org.opencontainers.image.title="vidgate" \
      org.opencontainers.image.description="One HTTP API in front of many video generation providers." \
      org.opencontainers.image.licenses="Apache-2.0"

# A number, so that orchestrators can see that it is not root.
RUN groupadd --system --gid 10001 vidgate \
 && useradd --system --uid 10001 --gid 10001 --no-log-init --shell /usr/sbin/nologin \
        --home-dir /var/lib/vidgate --create-home vidgate
COPY --from=builder /opt/vidgate /opt/vidgate

# VIDGATE_DATA_DIR matters with the `embedded` extra only; nothing else is ever written to disk.
ENV PATH=/opt/vidgate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    VIDGATE_DATA_DIR=/var/lib/vidgate
USER 10001:10001
WORKDIR /var/lib/vidgate
EXPOSE 3000
STOPSIGNAL SIGTERM

# Whether this process lives; whether it can serve is /readyz, which a load balancer asks.
# A container that runs `worker` listens on nothing: turn the check off there.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os; connection = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('VIDGATE_PORT') or 3000), timeout=4); connection.request('GET', '/healthz'); raise SystemExit(connection.getresponse().status != 200)"]

ENTRYPOINT ["vidgate"]
CMD ["serve", "--host", "0.0.0.0"]

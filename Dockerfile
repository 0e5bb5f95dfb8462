# The service in a small image: no compiler, no torch, nobody's root.
#
#   docker build -t emotone . && docker run --rm -p 127.0.0.1:8000:8000 emotone
#
# Any base with Python 3.11 or newer and its venv will do, for both stages: --build-arg BASE=...
ARG BASE=python:3.12-slim
FROM ${BASE} AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
COPY recipes ./recipes
RUN python3 -m venv /opt/emotone \
    && /opt/emotone/bin/pip install --no-cache-dir --disable-pip-version-check '.[serve]'

FROM ${BASE}
LABEL org.opencontainers.image.title="emotone" \
      org.opencontainers.image.description="Emotion in speech over HTTP" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/emotone /opt/emotone
RUN useradd --system --uid 10001 --create-home --home-dir /data emotone
USER emotone
WORKDIR /data
ENV PATH=/opt/emotone/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    EMOTONE_HOST=0.0.0.0 \
    EMOTONE_PORT=8000 \
    EMOTONE_DATA_DIR=/data/service
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['EMOTONE_PORT']}/readyz\", timeout=4)"]
# Longer than the service takes to answer what has begun.
STOPSIGNAL SIGTERM
ENTRYPOINT ["emotone", "serve"]

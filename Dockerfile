FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/frontrow
COPY requirements/build.lock requirements/traces.lock requirements/
# Both lock files are complete and the wheel is built with the installed tools, so nothing is resolved here.
# traces.lock is run.lock with what FRONTROW_TRACES_URL needs; it is imported only with that setting.
RUN pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r requirements/build.lock \
    && /opt/frontrow/bin/pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r requirements/traces.lock
COPY web/__init__.py web/build.py web/package.json web/package-lock.json web/.npmrc web/
COPY web/documents/package.json web/documents/package-lock.json web/documents/.npmrc web/documents/
RUN python -m web.build packages
COPY . .
RUN python -m web.build pages \
    && pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/frontrow/bin/pip install --no-cache-dir --no-deps --no-index dist/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/frontrow --create-home frontrow
COPY --from=build /opt/frontrow /opt/frontrow
ENV PATH=/opt/frontrow/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    FRONTROW_DATA_DIR=/var/lib/frontrow
USER 10001
VOLUME /var/lib/frontrow
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as http; http.urlopen(f'http://127.0.0.1:{os.environ.get(\"FRONTROW_PORT\", 8000)}/healthz', timeout=2)"]
CMD ["frontrow", "serve", "--host", "0.0.0.0"]

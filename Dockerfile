# dlcli in a container, with the pretrained model; see docs/install.md.
FROM python:3.13-slim AS build
ARG EXTRAS=report
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY requirements requirements
COPY man man
COPY configs configs
COPY dlcli dlcli
RUN python -m venv /opt/dlcli \
    && /opt/dlcli/bin/pip install --no-cache-dir --constraint requirements/dev.lock ".[${EXTRAS}]"

FROM python:3.13-slim
COPY --from=build /opt/dlcli /opt/dlcli
# /workdir is the folder of the host that is mounted. What a container downloads must outlast it.
# Matplotlib's cache is where any user (docker run --user) may write.
ENV PATH="/opt/dlcli/bin:${PATH}" DLCLI_DATA_DIR=/workdir/data MPLCONFIGDIR=/tmp/matplotlib
RUN useradd --create-home --uid 10001 dlcli \
    && install --directory --owner=dlcli /workdir
USER 10001
WORKDIR /workdir
ENTRYPOINT ["dlcli"]
CMD ["--help"]

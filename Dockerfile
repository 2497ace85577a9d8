# One image for all: without a command the worker host, `lab2mqtt props` with the props in /props; as `lab2mqtt run`
# a bridge, as `lab2mqtt http` a gateway. docs/docker.md tells how it is used.

FROM python:3.13-slim AS build
# What your workers import beside lab2mqtt, such as "pydantic requests".
ARG PACKAGES="pydantic"
# What the devices and the gateway need: the extras of pyproject.toml.
ARG EXTRAS="dynamixel,http,ot2"
COPY pyproject.toml README.md LICENSE /source/
COPY blueprints /source/blueprints
COPY bridges /source/bridges
COPY custom_components /source/custom_components
COPY firmware /source/firmware
COPY props /source/props
RUN python -m venv /opt/lab2mqtt
RUN /opt/lab2mqtt/bin/pip install --no-cache-dir "/source[$EXTRAS]" $PACKAGES

FROM python:3.13-slim
COPY --from=build /opt/lab2mqtt /opt/lab2mqtt
# The container may run as any user that owns the files of its passwords: one without a name and a home.
RUN mkdir --mode=777 /state
ENV PATH=/opt/lab2mqtt/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/state \
    USER=worker \
    MQTT_HOST=broker
USER 1000:1000
VOLUME /state
WORKDIR /state
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=20s --start-period=30s --retries=3 \
    CMD ["lab2mqtt", "props", "--healthy"]
CMD ["lab2mqtt", "props", "--root", "/props", "--state", "/state"]

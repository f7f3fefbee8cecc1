# Stands in for quay.io/prometheus/prometheus:v3.5.0: that Prometheus, built here, in the same places, under the same user. There is no shell.
FROM docker.io/library/debian:bookworm-slim AS files
RUN install -d /image/etc && grep nobody /etc/passwd >/image/etc/passwd && grep nogroup /etc/group >/image/etc/group \
 && install -d -o nobody -g nogroup /image/prometheus /image/etc/prometheus
COPY --chown=nobody:nogroup prometheus.yml /image/etc/prometheus/

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=files /image /
COPY prometheus promtool /bin/
USER nobody
EXPOSE 9090
VOLUME ["/prometheus"]
WORKDIR /prometheus
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]

# Stands in for docker.io/apache/kafka:4.1.1: its programs, user, folders and way to be configured. The programs are those of the Maven
# artifacts, among them the one that makes settings of variables; the scripts around them are ours.
FROM docker.io/library/debian:bookworm-slim
RUN apt-get update \
 && mkdir -p /usr/share/man/man1 \
 && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
 && apt-get clean && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 --shell /bin/bash appuser \
 && install -d -o appuser -g appuser /opt/kafka /opt/kafka/config /opt/kafka/logs /mnt/shared/config /etc/kafka/docker /etc/kafka/secrets /var/lib/kafka/data
COPY libs /opt/kafka/libs
COPY --chown=1000:1000 server.properties log4j2.yaml tools-log4j2.yaml /opt/kafka/config/
COPY --chown=1000:1000 server.properties log4j2.yaml tools-log4j2.yaml run /etc/kafka/docker/
COPY kafka-run-class.sh /opt/kafka/bin/
RUN cd /opt/kafka/bin \
 && for tool in acls broker-api-versions configs console-consumer console-producer consumer-groups get-offsets metadata-quorum server-start storage topics; do \
      ln -s kafka-run-class.sh "kafka-$tool.sh"; \
    done
USER appuser
EXPOSE 9092
VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]
CMD ["/etc/kafka/docker/run"]

#!/usr/bin/env bash
# Kafka's programs. This file has a name for each of them; under its own name, the first argument is a class.
set -euo pipefail
KAFKA=/opt/kafka LOG_DIR=${LOG_DIR:-/opt/kafka/logs} tools=org.apache.kafka.tools garbage=()
case ${0##*/} in
  kafka-run-class.sh) class=$1; shift ;;
  kafka-server-start.sh)
    class=kafka.Kafka KAFKA_HEAP_OPTS=${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G}
    KAFKA_LOG4J_OPTS=${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=$KAFKA/config/log4j2.yaml}
    # As in the original, the server does not start where this file cannot be written.
    if [ -z "${KAFKA_GC_LOG_OPTS:-}" ]; then garbage=("-Xlog:gc*:file=$LOG_DIR/kafkaServer-gc.log:time,tags:filecount=10,filesize=100M"); fi ;;
  kafka-storage.sh) class=kafka.tools.StorageTool ;;
  kafka-configs.sh) class=kafka.admin.ConfigCommand ;;
  kafka-topics.sh) class=$tools.TopicCommand ;;
  kafka-acls.sh) class=$tools.AclCommand ;;
  kafka-broker-api-versions.sh) class=$tools.BrokerApiVersionsCommand ;;
  kafka-console-consumer.sh) class=$tools.consumer.ConsoleConsumer ;;
  kafka-console-producer.sh) class=$tools.ConsoleProducer ;;
  kafka-consumer-groups.sh) class=$tools.consumer.group.ConsumerGroupCommand ;;
  kafka-get-offsets.sh) class=$tools.GetOffsetShell ;;
  kafka-metadata-quorum.sh) class=$tools.MetadataQuorumCommand ;;
  *) echo "$0: not in this stand-in" >&2; exit 2 ;;
esac
# The first compiler alone, and the simplest garbage collector: on a small machine a start takes half the time.
exec java ${KAFKA_HEAP_OPTS:--Xmx256M} ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC -XX:TieredStopAtLevel=1} "${garbage[@]}" ${KAFKA_GC_LOG_OPTS:-} ${KAFKA_JMX_OPTS:-} \
  "-Dkafka.logs.dir=$LOG_DIR" ${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=$KAFKA/config/tools-log4j2.yaml} -cp "$KAFKA/libs/*" ${KAFKA_OPTS:-} "$class" "$@"

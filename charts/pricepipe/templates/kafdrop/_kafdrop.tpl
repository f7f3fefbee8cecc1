{{/* How Kafdrop speaks to Kafka: a client's properties, or nothing in the clear. User and password are Kafka's own to read, from files. */}}
{{- define "pricepipe.kafdropProperties" -}}
{{- $protocol := include "pricepipe.kafkaProtocol" . -}}
{{- if ne $protocol "PLAINTEXT" -}}
security.protocol={{ $protocol }}
{{- if include "pricepipe.kafkaCaSecret" . }}
ssl.truststore.type=PEM
ssl.truststore.location=/etc/kafdrop/ca.crt
{{- end }}
{{- if include "pricepipe.kafkaMechanism" . }}
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  username="${directory:/etc/kafdrop:username}" password="${directory:/etc/kafdrop:password}";
config.providers=directory
config.providers.directory.class=org.apache.kafka.common.config.provider.DirectoryConfigProvider
{{- end }}
{{- end }}
{{- end }}

{{/* Fails where Kafdrop could not log in. Secrets of an external Kafka are in the pipelines' namespaces, which need not be this one. */}}
{{- define "pricepipe.checkKafdrop" -}}
{{- if and .Values.kafdrop.enabled (not (include "pricepipe.kafkaServers" .)) }}
{{- fail "kafdrop.enabled without a Kafka: name yours in externalKafka.bootstrapServers, or set kafdrop.enabled=false where each pipeline names its own" }}
{{- end }}
{{- $secrets := or (include "pricepipe.kafkaCredentialsSecret" .) (include "pricepipe.kafkaCaSecret" .) -}}
{{- if and .Values.kafdrop.enabled $secrets (not .Values.kafka.enabled) (not .Values.kafdrop.existingSecret) }}
{{- fail "kafdrop.enabled with this externalKafka needs a client's settings: name a Secret with the key kafka.properties in kafdrop.existingSecret, or set kafdrop.enabled=false" }}
{{- end }}
{{- end }}

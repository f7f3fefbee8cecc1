{{/* Brokers of pipelines that name none, in any namespace; separated by commas. */}}
{{- define "pricepipe.kafkaServers" -}}
{{- if .Values.kafka.enabled -}}
{{ include "pricepipe.name" (dict "root" . "component" "kafka") }}.{{ .Release.Namespace }}.svc:9092
{{- else -}}
{{ join "," .Values.externalKafka.bootstrapServers }}
{{- end }}
{{- end }}

{{/* How to speak to them: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; empty where there are none. */}}
{{- define "pricepipe.kafkaProtocol" -}}
{{- if include "pricepipe.kafkaServers" . -}}
{{- $tls := ternary (ne .Values.kafka.tls.existingSecret "") .Values.externalKafka.tls.enabled .Values.kafka.enabled -}}
{{- if include "pricepipe.kafkaMechanism" . }}{{ ternary "SASL_SSL" "SASL_PLAINTEXT" $tls }}{{ else }}{{ ternary "SSL" "PLAINTEXT" $tls }}{{ end }}
{{- end }}
{{- end }}

{{/* How to log in; empty without a login. */}}
{{- define "pricepipe.kafkaMechanism" -}}
{{- if not .Values.kafka.enabled }}{{ .Values.externalKafka.sasl.mechanism }}{{ else if .Values.kafka.sasl.enabled }}PLAIN{{ end }}
{{- end }}

{{/* Name of the Secret with username and password; empty without a login. */}}
{{- define "pricepipe.kafkaCredentialsSecret" -}}
{{- if include "pricepipe.kafkaMechanism" . }}{{ ternary .Values.kafka .Values.externalKafka .Values.kafka.enabled | dig "sasl" "existingSecret" "" }}{{ end }}
{{- end }}

{{/* name/key of the Secret with the authorities to trust; empty without TLS, and where public ones are meant. */}}
{{- define "pricepipe.kafkaCaSecret" -}}
{{- $external := .Values.externalKafka.tls -}}
{{- if .Values.kafka.enabled }}
{{- with .Values.kafka.tls.existingSecret }}{{ . }}/ca.crt{{ end }}
{{- else if and $external.enabled $external.existingSecret }}{{ $external.existingSecret }}/{{ $external.key }}
{{- end }}
{{- end }}

{{/* The domain in which each broker has its pod's name. */}}
{{- define "pricepipe.kafkaDomain" -}}
{{ include "pricepipe.name" (dict "root" . "component" "kafka-headless") }}.{{ .Release.Namespace }}.svc
{{- end }}

{{/* What clients and cluster hang on: settings in Kafka's words that kafka.config cannot change. $(…) is the kubelet's to fill in,
     and ${directory:…} Kafka's, which reads a file there: so no secret is in an environment, on a command line or in a log.
     Brokers and controllers speak to one another in the clear; the NetworkPolicy lets nobody else to these two ports.
     The image takes listeners named SSL or SASL_SSL for its own way to configure them, so ours have other names. */}}
{{- define "pricepipe.kafkaOwnSettings" -}}
{{- $kafka := .Values.kafka -}}
{{- $external := $kafka.externalListener.enabled -}}
{{- $name := include "pricepipe.name" (dict "root" . "component" "kafka") -}}
{{- $domain := include "pricepipe.kafkaDomain" . -}}
{{- $protocol := include "pricepipe.kafkaProtocol" . -}}
{{- $voters := list -}}
{{- range $node := until (int $kafka.nodes) }}{{ $voters = append $voters (printf "%d@%s-%d.%s:9093" $node $name $node $domain) }}{{ end -}}
process.roles: broker,controller
controller.quorum.voters: {{ join "," $voters }}
controller.listener.names: CONTROLLER
inter.broker.listener.name: INTERNAL
listeners: CLIENT://:9092,CONTROLLER://:9093,INTERNAL://:9095{{ if $external }},EXTERNAL://:9094{{ end }}
advertised.listeners: CLIENT://$(POD_NAME).{{ $domain }}:9092,INTERNAL://$(POD_NAME).{{ $domain }}:9095
  {{- if $external }},EXTERNAL://${directory:/etc/kafka/secrets:advertised-$(KAFKA_NODE_ID)}{{ end }}
listener.security.protocol.map: CLIENT:{{ $protocol }},CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT{{ if $external }},EXTERNAL:{{ $protocol }}{{ end }}
log.dirs: /var/lib/kafka/data/kraft
{{- if include "pricepipe.kafkaReadsFiles" . }}
config.providers: directory
config.providers.directory.class: org.apache.kafka.common.config.provider.DirectoryConfigProvider
{{- end }}
{{- if $kafka.tls.existingSecret }}
ssl.keystore.type: PEM
ssl.keystore.key: ${directory:/etc/kafka/secrets:tls.key}
ssl.keystore.certificate.chain: ${directory:/etc/kafka/secrets:tls.crt}
{{- end }}
{{- if $kafka.sasl.enabled }}
sasl.enabled.mechanisms: PLAIN
{{- range ternary (list "client" "external") (list "client") $external }}
listener.name.{{ . }}.plain.sasl.jaas.config: >-
  org.apache.kafka.common.security.plain.PlainLoginModule required
  user_${directory:/etc/kafka/secrets:username}="${directory:/etc/kafka/secrets:password}";
{{- end }}
{{- end }}
{{- end }}

{{/* Not empty when brokers have files in /etc/kafka/secrets. */}}
{{- define "pricepipe.kafkaReadsFiles" -}}
{{- if or .Values.kafka.tls.existingSecret .Values.kafka.externalListener.enabled }}true{{ end }}
{{- end }}

{{/* What kafka.config may change. A single broker cannot keep copies; of three, one may be missing. */}}
{{- define "pricepipe.kafkaDefaultSettings" -}}
{{- $copies := int .Values.kafka.nodes -}}
{{- $inSync := ternary 2 1 (eq $copies 3) -}}
auto.create.topics.enable: "false"
unclean.leader.election.enable: "false"
default.replication.factor: {{ $copies }}
min.insync.replicas: {{ $inSync }}
offsets.topic.replication.factor: {{ $copies }}
transaction.state.log.replication.factor: {{ $copies }}
transaction.state.log.min.isr: {{ $inSync }}
share.coordinator.state.topic.replication.factor: {{ $copies }}
share.coordinator.state.topic.min.isr: {{ $inSync }}
{{- end }}

{{/* All settings as the image's environment variables. With one of them, the image forgets all defaults of its own. */}}
{{- define "pricepipe.kafkaEnvironment" -}}
{{- $own := include "pricepipe.kafkaOwnSettings" . | fromYaml -}}
{{- $defaults := include "pricepipe.kafkaDefaultSettings" . | fromYaml -}}
{{- range $setting, $value := merge (dict) $own .Values.kafka.config $defaults }}
- name: KAFKA_{{ $setting | replace "_" "__" | replace "-" "___" | replace "." "_" | upper }}
  {{- /* a number in YAML is a float here, and large ones would be written as 1e+09 */}}
  value: {{ kindIs "float64" $value | ternary (regexReplaceAll "\\.?0+$" (printf "%f" $value) "") (toString $value) | quote }}
{{- end }}
{{- end }}

{{/* The files of brokers: how they log, which is to the console alone, and where clients outside find each. */}}
{{- define "pricepipe.kafkaFiles" -}}
{{- $external := .Values.kafka.externalListener -}}
log4j2.yaml: |
  Configuration:
    Appenders:
      Console: {name: STDOUT, PatternLayout: {pattern: "[%d] %p %m (%c)%n"}}
    Loggers:
      Root: {level: INFO, AppenderRef: [{ref: STDOUT}]}
{{- if $external.enabled }}
{{- range $node, $host := $external.advertisedHosts }}
advertised-{{ $node }}: {{ printf "%s:%d" $host (eq $external.type "NodePort" | ternary (add $external.firstNodePort $node) 9094) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The cluster's identity: 22 characters, the same whenever this release is installed again. */}}
{{- define "pricepipe.kafkaClusterId" -}}
{{- $derived := printf "%s/%s" .Release.Namespace .Release.Name | sha256sum | trunc 16 | b64enc | trimSuffix "==" -}}
{{- default $derived .Values.kafka.clusterId }}
{{- end }}

{{/* Brokers prefer different nodes. */}}
{{- define "pricepipe.kafkaAffinity" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
  - weight: 100
    podAffinityTerm:
      topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "pricepipe.selector" (dict "root" . "component" "kafka") | nindent 10 }}
{{- end }}

{{/* Fails where values of Kafka do not fit together; what each may be, the schema says. */}}
{{- define "pricepipe.checkKafka" -}}
{{- if .Values.kafka.enabled }}
{{- include "pricepipe.checkBundledKafka" . }}
{{- include "pricepipe.checkKafkaConfig" . }}
{{- else }}
{{- include "pricepipe.checkExternalKafka" . }}
{{- end }}
{{- end }}

{{- define "pricepipe.checkBundledKafka" -}}
{{- $kafka := .Values.kafka -}}
{{- $nodes := int $kafka.nodes -}}
{{- $external := $kafka.externalListener -}}
{{- if .Values.externalKafka.bootstrapServers }}
{{- fail "externalKafka.bootstrapServers is set beside kafka.enabled: set kafka.enabled=false to use your cluster, or remove the servers" }}
{{- end }}
{{- $old := lookup "apps/v1" "StatefulSet" .Release.Namespace (include "pricepipe.name" (dict "root" . "component" "kafka")) }}
{{- $before := dig "spec" "replicas" 0 $old | int }}
{{- if not (has $before (list 0 $nodes)) }}
{{- fail (printf "kafka.nodes is %d, but this Kafka was installed with %d and cannot change: set it back, or install another release and move to it" $nodes $before) }}
{{- end }}
{{- if and $kafka.sasl.enabled (not $kafka.sasl.existingSecret) }}
{{- fail "kafka.sasl.enabled needs a user: name a Secret with the keys username and password in kafka.sasl.existingSecret" }}
{{- end }}
{{- if and $kafka.sasl.enabled (not $kafka.tls.existingSecret) }}
{{- fail "kafka.sasl.enabled needs encryption: name a Secret with the keys tls.crt, tls.key and ca.crt in kafka.tls.existingSecret" }}
{{- end }}
{{- if and $external.enabled (ne (len $external.advertisedHosts) $nodes) }}
{{- fail (printf "kafka.externalListener.advertisedHosts has %d hosts: give one for each of %d brokers, by which clients outside reach it" (len $external.advertisedHosts) $nodes) }}
{{- end }}
{{- end }}

{{- define "pricepipe.checkKafkaConfig" -}}
{{- $own := include "pricepipe.kafkaOwnSettings" . | fromYaml -}}
{{- $aliases := list "node.id" "broker.id" "log.dir" "metadata.log.dir" "security.inter.broker.protocol" "controller.quorum.bootstrap.servers" -}}
{{- range $setting, $value := .Values.kafka.config }}
{{- if or (hasKey $own $setting) (has $setting $aliases) (regexMatch "^(listener\\.name|config\\.providers|ssl\\.keystore|sasl\\.enabled)\\." $setting) }}
{{- fail (printf "kafka.config has %s, which the chart sets: remove it; see kafka.nodes, kafka.sasl, kafka.tls and kafka.externalListener" $setting) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "pricepipe.checkExternalKafka" -}}
{{- $kafka := .Values.externalKafka -}}
{{- if and (not $kafka.bootstrapServers) (or $kafka.tls.enabled $kafka.sasl.mechanism) }}
{{- fail "externalKafka.tls and externalKafka.sasl are set without a cluster: name its brokers in externalKafka.bootstrapServers" }}
{{- end }}
{{- if and $kafka.sasl.mechanism (not $kafka.sasl.existingSecret) }}
{{- fail "externalKafka.sasl.mechanism needs a user: name a Secret with the keys username and password in externalKafka.sasl.existingSecret" }}
{{- end }}
{{- end }}

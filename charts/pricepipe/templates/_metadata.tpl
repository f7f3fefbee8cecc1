{{/* An object's metadata with more labels. usage: include "pricepipe.labelledMetadata" (dict "root" $ "component" "view" "labels" dict); the
     rest is as for pricepipe.metadata */}}
{{- define "pricepipe.labelledMetadata" -}}
{{- $metadata := include "pricepipe.metadata" . | fromYaml -}}
{{- toYaml (merge (dict "labels" (merge (dict) (default dict .labels) $metadata.labels)) $metadata) }}
{{- end }}

{{/* The name of a role or a binding that may meet those of other releases. usage: include "pricepipe.sharedName" (dict "root" $ "component" "controller") */}}
{{- define "pricepipe.sharedName" -}}
{{- printf "%s:%s" .root.Release.Namespace (include "pricepipe.name" .) }}
{{- end }}

{{/* Its metadata, with labels as above. Without a namespace the object belongs to the cluster. usage: as above, with "namespace" */}}
{{- define "pricepipe.sharedMetadata" -}}
{{- $metadata := include "pricepipe.labelledMetadata" (merge (dict "name" (include "pricepipe.sharedName" .)) .) | fromYaml -}}
{{- toYaml ((empty .namespace) | ternary (omit $metadata "namespace") $metadata) }}
{{- end }}

{{/* A component's ServiceAccount. usage: include "pricepipe.serviceAccount" (dict "root" $ "component" "controller" "values" .Values.controller) */}}
{{- define "pricepipe.serviceAccount" -}}
{{- default (include "pricepipe.name" .) .values.serviceAccount.name }}
{{- end }}

{{/* What a binding binds. usage: as above, with "kind" and "role" */}}
{{- define "pricepipe.binding" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .role }}
subjects:
- kind: ServiceAccount
  name: {{ include "pricepipe.serviceAccount" . }}
  namespace: {{ .root.Release.Namespace }}
{{- end }}

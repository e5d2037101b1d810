{{- define "modelarts-pool-controller.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of the objects; at most 63 characters, since some become label values. */}}
{{- define "modelarts-pool-controller.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "modelarts-pool-controller.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "modelarts-pool-controller.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "modelarts-pool-controller.selectorLabels" -}}
app.kubernetes.io/name: {{ include "modelarts-pool-controller.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "modelarts-pool-controller.labels" -}}
{{ include "modelarts-pool-controller.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "modelarts-pool-controller.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* Name of the Secret that the chart writes for a source. */}}
{{- define "modelarts-pool-controller.secretOfSource" -}}
{{- printf "%s-credentials" .name }}
{{- end }}

{{/* The credentials that a source gives as values: a map that is empty where it gives none. */}}
{{- define "modelarts-pool-controller.secretData" -}}
{{- omit (default dict .credentials) "type" "existingSecret" | toJson }}
{{- end }}

{{/* The spec of a source: as written, with the shorthand of `credentials` written out. */}}
{{- define "modelarts-pool-controller.sourceSpec" -}}
{{- $spec := deepCopy .spec }}
{{- if and .credentials $spec.credentials }}
{{- fail (printf "sources: %s has both credentials and spec.credentials; keep one" .name) }}
{{- end }}
{{- with .credentials }}
{{- $type := default "AccessKey" .type }}
{{- $keys := get (dict "AccessKey" (list "accessKey" "secretKey") "Token" (list "token") "Password" (list "username" "password" "domainName")) $type }}
{{- $data := include "modelarts-pool-controller.secretData" $ | fromJson }}
{{- if not $keys }}
{{- if or .existingSecret $data }}
{{- fail (printf "sources: %s has credentials of type %s, which needs no Secret; leave out the rest of credentials" $.name $type) }}
{{- end }}
{{- $_ := set $spec "credentials" (dict "type" $type) }}
{{- else if $data }}
{{- if .existingSecret }}
{{- fail (printf "sources: %s has both credentials.existingSecret and credentials.%s; keep one" $.name (keys $data | sortAlpha | first)) }}
{{- end }}
{{- range $keys }}
{{- if not (get $data .) }}
{{- fail (printf "sources: %s has no credentials.%s, which type %s needs" $.name . $type) }}
{{- end }}
{{- end }}
{{- range keys $data | sortAlpha }}
{{- if not (or (has . $keys) (and (eq . "securityToken") (eq $type "AccessKey"))) }}
{{- fail (printf "sources: %s has credentials.%s, which type %s does not use" $.name . $type) }}
{{- end }}
{{- end }}
{{- $_ := set $spec "credentials" (dict "type" $type "secretRef" (dict "name" (include "modelarts-pool-controller.secretOfSource" $))) }}
{{- else if .existingSecret }}
{{- $_ := set $spec "credentials" (dict "type" $type "secretRef" (dict "name" .existingSecret)) }}
{{- else }}
{{- fail (printf "sources: %s has credentials of type %s and no Secret; set credentials.existingSecret to the name of one in the namespace of the release" $.name $type) }}
{{- end }}
{{- end }}
{{- if not $spec.credentials }}
{{- fail (printf "sources: %s has no credentials; set credentials.existingSecret to the name of a Secret in the namespace of the release" .name) }}
{{- end }}
{{- toYaml $spec }}
{{- end }}

{{/* All that the pod security standard `restricted` asks for. */}}
{{- define "modelarts-pool-controller.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "modelarts-pool-controller.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "modelarts-pool-controller.caFile" -}}
/etc/modelarts-pool-controller/ca.pem
{{- end }}

{{- define "modelarts-pool-controller.caVolume" -}}
{{- if .Values.caBundle }}
- name: ca-bundle
  configMap:
    name: {{ include "modelarts-pool-controller.fullname" . }}-ca
{{- end }}
{{- end }}

{{- define "modelarts-pool-controller.caMount" -}}
{{- if .Values.caBundle }}
- name: ca-bundle
  mountPath: {{ include "modelarts-pool-controller.caFile" . | dir }}
  readOnly: true
{{- end }}
{{- end }}

{{/* Names of the Secrets that the sources of the values use, as a JSON array. */}}
{{- define "modelarts-pool-controller.secretsOfSources" -}}
{{- $names := list }}
{{- range .Values.sources }}
{{- $credentials := (include "modelarts-pool-controller.sourceSpec" . | fromYaml).credentials }}
{{- with $credentials.secretRef }}
{{- $names = append $names .name }}
{{- end }}
{{- end }}
{{- $names | uniq | sortAlpha | toJson }}
{{- end }}

{{/* Name of a cluster-wide object: fixed for a release that watches all namespaces, of which there is one;
else the release's own. */}}
{{- define "modelarts-pool-controller.clusterName" -}}
{{- if .Values.watchNamespaces }}
{{- printf "%s-%s" .Release.Namespace (include "modelarts-pool-controller.fullname" .) }}
{{- else }}
{{- .Chart.Name }}
{{- end }}
{{- end }}

{{/* The chart's labels, and those by which a monitoring system finds what is its. Of the context and a map. */}}
{{- define "modelarts-pool-controller.monitoringLabels" -}}
{{- merge (include "modelarts-pool-controller.labels" (index . 0) | fromYaml) (index . 1) | toYaml }}
{{- end }}

{{/* Values that each may be right and that contradict each other. */}}
{{- define "modelarts-pool-controller.validate" -}}
{{- include "modelarts-pool-controller.validateArgs" . }}
{{- include "modelarts-pool-controller.validateNamespaces" . }}
{{- include "modelarts-pool-controller.validateSources" . }}
{{- if and (not .Values.serviceAccount.create) .Values.serviceAccount.annotations }}
{{- fail "serviceAccount.annotations are given, and serviceAccount.create is false: the chart does not write an account that it does not create; annotate it yourself, or let the chart create it" }}
{{- end }}
{{- if and .Values.caBundle (not (contains "-----BEGIN CERTIFICATE-----" .Values.caBundle)) }}
{{- fail "caBundle holds no certificate: give the text of a PEM file, e.g. by --set-file caBundle=ca.pem" }}
{{- end }}
{{- end }}

{{/* A flag that the chart writes itself may be given once, by the value that is made for it. */}}
{{- define "modelarts-pool-controller.validateArgs" -}}
{{- $values := dict "--listen" "port" "--log-format" "log.format" "--log-level" "log.level" "--lease-name" "fullnameOverride" "--watch-namespaces" "watchNamespaces" "--allowed-endpoints" "allowedEndpoints" "--ambient-credentials-namespaces" "ambientCredentialsNamespaces" }}
{{- range .Values.extraArgs }}
{{- $flag := splitList "=" . | first }}
{{- with get $values $flag }}
{{- fail (printf "extraArgs has %s, which the chart sets itself: use the value %s" $flag .) }}
{{- end }}
{{- if and (eq $flag "--lease-namespace") $.Values.rbac.create }}
{{- fail "extraArgs has --lease-namespace, and the chart grants the right to the Lease in the namespace of the release alone: leave it out, or set rbac.create to false and grant it yourself" }}
{{- end }}
{{- if and (eq . "--leader-elect=false") (gt (int $.Values.replicas) 1) }}
{{- fail (printf "extraArgs has --leader-elect=false, and replicas is %d: all of them would write; set replicas to 1, or leave the flag out" (int $.Values.replicas)) }}
{{- end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if and (eq (toString .name) "MODELARTS_POOL_CONTROLLER_LEADER_ELECT") (eq (toString .value) "false") (gt (int $.Values.replicas) 1) }}
{{- fail (printf "extraEnv switches the election off, and replicas is %d: all of them would write; set replicas to 1, or leave the variable out" (int $.Values.replicas)) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "modelarts-pool-controller.validateNamespaces" -}}
{{- $watched := .Values.watchNamespaces }}
{{- if $watched }}
{{- if and .Values.sources (not (has .Release.Namespace $watched)) }}
{{- fail (printf "sources are created in the namespace %s, which is not among watchNamespaces: nobody would mirror them; add it" .Release.Namespace) }}
{{- end }}
{{- range .Values.ambientCredentialsNamespaces }}
{{- $namespace := splitList "=" . | first }}
{{- if not (has $namespace $watched) }}
{{- fail (printf "ambientCredentialsNamespaces names %s, which is not among watchNamespaces: no source there is looked at; add it to both or to none" $namespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "modelarts-pool-controller.validateSources" -}}
{{- $namespaces := list }}
{{- range .Values.ambientCredentialsNamespaces }}
{{- $namespaces = append $namespaces (splitList "=" . | first) }}
{{- end }}
{{- $names := list }}
{{- range .Values.sources }}
{{- if has .name $names }}
{{- fail (printf "sources: two are named %s; give each a name of its own" .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- $type := (include "modelarts-pool-controller.sourceSpec" . | fromYaml).credentials.type }}
{{- if and (has $type (list "Agency" "PodIdentity")) (not (has $.Release.Namespace $namespaces)) }}
{{- fail (printf "sources: %s has credentials of type %s, the controller's own identity, which sources of the namespace %s may not use; add it to ambientCredentialsNamespaces" .name $type $.Release.Namespace) }}
{{- end }}
{{- end }}
{{- end }}

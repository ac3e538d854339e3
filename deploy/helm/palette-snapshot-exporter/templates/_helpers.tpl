{{- define "palette-snapshot-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "palette-snapshot-exporter.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "palette-snapshot-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "palette-snapshot-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "palette-snapshot-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "palette-snapshot-exporter.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "palette-snapshot-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "palette-snapshot-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "palette-snapshot-exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "palette-snapshot-exporter.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry }}
{{- $image := .Values.image.repository }}
{{- if $registry }}{{ $image = printf "%s/%s" $registry $image }}{{ end }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $image .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $image (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* Whether the port needs TLS or a password; then only the exporter itself knows how to ask it. */}}
{{- define "palette-snapshot-exporter.guarded" -}}
{{- if or .Values.web.config .Values.web.existingSecret }}true{{ end }}
{{- end }}

{{- define "palette-snapshot-exporter.scheme" -}}
{{- if .Values.serviceMonitor.scheme }}
{{- .Values.serviceMonitor.scheme }}
{{- else if or .Values.web.tlsSecret (hasKey .Values.web.config "tls_server_config") }}https
{{- else }}http
{{- end }}
{{- end }}

{{- define "palette-snapshot-exporter.pods" -}}
{{- if .Values.ha.enabled }}2{{ else }}{{ .Values.shards }}{{ end }}
{{- end }}

{{/* The exporter's own file: the given one, and the paths of what the chart mounts. */}}
{{- define "palette-snapshot-exporter.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $palette := default dict $config.palette }}
{{- if not (or (hasKey $palette "api_key") (hasKey $palette "api_key_file") (hasKey $palette "username")) }}
{{- $_ := set $palette "api_key_file" "/run/secrets/palette/api-key" }}
{{- end }}
{{- if .Values.palette.caBundle }}
{{- $tls := default dict $palette.tls }}
{{- if not (hasKey $tls "ca_file") }}{{ $_ := set $tls "ca_file" "/etc/palette-snapshot-exporter/ca/ca.crt" }}{{ end }}
{{- $_ := set $palette "tls" $tls }}
{{- end }}
{{- if not (hasKey $palette "requests_per_second") }}
{{- $_ := set $palette "requests_per_second" (divf .Values.requestsPerSecond (include "palette-snapshot-exporter.pods" .)) }}
{{- end }}
{{- $_ := set $config "palette" $palette }}
{{- if include "palette-snapshot-exporter.guarded" . }}
{{- $web := default dict $config.web }}
{{- if not (hasKey $web "config_file") }}{{ $_ := set $web "config_file" "/etc/palette-snapshot-exporter/web/web-config.yml" }}{{ end }}
{{- $_ := set $config "web" $web }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- define "palette-snapshot-exporter.probe" -}}
{{- if include "palette-snapshot-exporter.guarded" .root }}
exec:
  command: [palette-snapshot-exporter, --config.file=/etc/palette-snapshot-exporter/config/config.yaml, --health]
{{- else }}
httpGet:
  path: {{ .path }}
  port: http
{{- end }}
{{ toYaml .probe }}
{{- end }}

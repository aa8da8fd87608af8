{{- define "sealgate.pod" -}}
metadata:
  labels:
    {{- include "sealgate.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Envoy reads its bootstrap only once, so a new bootstrap requires a new pod.
    checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "sealgate.serviceAccount" . }}
  automountServiceAccountToken: false
  # A Service `sealgate` would set variables SEALGATE_..., which the agent reads as flags.
  enableServiceLinks: false
  # Time for the drain, and some for both to end.
  terminationGracePeriodSeconds: {{ add .Values.drain.mostSeconds 15 }}
  # One user for both, so that no other user can connect to the agent's socket.
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  initContainers:
    # A native sidecar: Envoy starts when the agent has listed all objects, and the agent ends after Envoy.
    - name: agent
      restartPolicy: Always
      image: {{ include "sealgate.image" (dict "image" .Values.agent.image "default" .Chart.AppVersion) }}
      imagePullPolicy: {{ .Values.agent.image.pullPolicy }}
      command: [sealgate]
      args:
        - run
        - --source=kubernetes
        - --namespace=$(POD_NAMESPACE)
        {{- if .Values.locality }}
        - {{ include "sealgate.gatewayLabels" . | printf "--gateway-labels=%s,kubernetes.io/hostname=$(NODE_NAME)" | quote }}
        - {{ include "sealgate.locality" . | printf "--locality=%s" | quote }}
        {{- else }}
        - {{ include "sealgate.gatewayLabels" . | printf "--gateway-labels=%s" | quote }}
        {{- end }}
        - {{ .Values.listen | printf "--listen=%s" | quote }}
        {{- with include "sealgate.portMap" . }}
        - {{ . | printf "--port-map=%s" | quote }}
        {{- end }}
        - {{ include "sealgate.adminAddress" . | printf "--admin=%s" | quote }}
        - --state-dir=/var/lib/sealgate
        {{- if .Values.rbac.secretNames }}
        # The agent has no permission to watch the whole namespace.
        - --secret-watch=name
        {{- end }}
        {{- if .Values.agent.tenancyPolicy }}
        - --tenancy-policy=/etc/sealgate/tenancy.yaml
        {{- end }}
        {{- range .Values.agent.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        - name: POD_NAMESPACE
          valueFrom:
            fieldRef:
              fieldPath: metadata.namespace
        {{- if .Values.locality }}
        - name: NODE_NAME
          valueFrom:
            fieldRef:
              fieldPath: spec.nodeName
        {{- end }}
        {{- if eq .Values.locality "pod" }}
        - name: POD_REGION
          valueFrom:
            fieldRef:
              fieldPath: metadata.labels['topology.kubernetes.io/region']
        - name: POD_ZONE
          valueFrom:
            fieldRef:
              fieldPath: metadata.labels['topology.kubernetes.io/zone']
        {{- end }}
        - name: SEALGATE_LOG
          value: {{ .Values.agent.logLevel | quote }}
        {{- if .Values.agent.adminToken.secretName }}
        # --admin-token-file, also for commands that are run in this container.
        - name: SEALGATE_ADMIN_TOKEN_FILE
          value: /var/run/secrets/sealgate/admin-token
        {{- end }}
      ports:
        - name: admin
          containerPort: 15080
      startupProbe:
        httpGet:
          path: /readyz
          port: admin
        periodSeconds: 1
        failureThreshold: 120
      livenessProbe:
        httpGet:
          path: /healthz
          port: admin
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      securityContext:
        {{- include "sealgate.containerSecurity" . | nindent 8 }}
      resources:
        {{- toYaml .Values.agent.resources | nindent 8 }}
      volumeMounts:
        - name: shared
          mountPath: /run/sealgate
        - name: state
          mountPath: /var/lib/sealgate
        - name: token
          mountPath: /var/run/secrets/kubernetes.io/serviceaccount
          readOnly: true
        {{- if .Values.agent.adminToken.secretName }}
        - name: admin-token
          mountPath: /var/run/secrets/sealgate
          readOnly: true
        {{- end }}
        {{- if .Values.agent.tenancyPolicy }}
        - name: config
          mountPath: /etc/sealgate
          readOnly: true
        {{- end }}
  containers:
    - name: envoy
      image: {{ include "sealgate.image" (dict "image" .Values.envoy.image "default" "") }}
      imagePullPolicy: {{ .Values.envoy.image.pullPolicy }}
      command: [envoy]
      args:
        - --config-path
        - /etc/sealgate/bootstrap.yaml
        - --service-node
        - $(POD_NAME)
        - --log-level
        - {{ .Values.envoy.logLevel }}
        {{- if .Values.envoy.concurrency }}
        - --concurrency
        - {{ .Values.envoy.concurrency | quote }}
        {{- end }}
        # The file system is read-only, and no second Envoy ever starts here.
        - --disable-hot-restart
        # While Envoy drains, every response asks the client to connect elsewhere, not only some.
        - --drain-strategy
        - immediate
        {{- range .Values.envoy.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: DRAIN_LEAST
          value: {{ .Values.drain.leastSeconds | quote }}
        - name: DRAIN_MOST
          value: {{ .Values.drain.mostSeconds | quote }}
      ports:
        {{- range .Values.ports }}
        - name: {{ .name }}
          containerPort: {{ .targetPort }}
          {{- if $.Values.hostPorts }}
          hostPort: {{ .port }}
          {{- if .http3 }}
        # Only with host ports: the pod does not need it otherwise, and patches of pods confuse the two ports.
        - containerPort: {{ .targetPort }}
          hostPort: {{ .port }}
          protocol: UDP
          {{- end }}
          {{- end }}
        {{- end }}
        - name: probes
          containerPort: 15021
      # No liveness probe: the kubelet restarts an Envoy that exits anyway, and must not restart one that drains.
      readinessProbe:
        httpGet:
          path: /ready
          port: probes
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 3
      lifecycle:
        preStop:
          exec:
            command: [/bin/bash, /etc/sealgate/drain.sh]
      securityContext:
        {{- include "sealgate.containerSecurity" . | nindent 8 }}
      resources:
        {{- toYaml .Values.envoy.resources | nindent 8 }}
      volumeMounts:
        - name: shared
          mountPath: /run/sealgate
          readOnly: true
        - name: config
          mountPath: /etc/sealgate
          readOnly: true
  volumes:
    # The agent's socket, and the filter that Envoy reads.
    - name: shared
      emptyDir:
        medium: Memory
        sizeLimit: 16Mi
    - name: state
      {{- with .Values.agent.stateVolume }}
      {{- toYaml . | nindent 6 }}
      {{- else }}
      emptyDir:
        sizeLimit: 256Mi
      {{- end }}
    - name: config
      configMap:
        name: {{ include "sealgate.name" . }}
    {{- with .Values.agent.adminToken }}
    {{- if .secretName }}
    - name: admin-token
      secret:
        secretName: {{ .secretName | quote }}
        items:
          - key: {{ .key | quote }}
            path: admin-token
    {{- end }}
    {{- end }}
    - name: token
      projected:
        sources:
          - serviceAccountToken:
              path: token
              expirationSeconds: 3607
          - configMap:
              name: kube-root-ca.crt
              items:
                - key: ca.crt
                  path: ca.crt
          - downwardAPI:
              items:
                - path: namespace
                  fieldRef:
                    fieldPath: metadata.namespace
  {{- if and .Values.topologySpread.enabled (eq .Values.kind "Deployment") }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      # Spread the pods of each rollout separately, without counting the old ones.
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "sealgate.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "sealgate.adminAddress" -}}
{{- if contains ":" .Values.listen }}[{{ .Values.listen }}]:15080{{ else }}{{ .Values.listen }}:15080{{ end -}}
{{- end }}

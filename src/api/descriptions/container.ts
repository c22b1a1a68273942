import type { Descriptions } from "./describe.ts";

const container = `
    name: The container's name, unique in the pod.
    image: The image it is made from, such as nginx:1.27 or registry.example/app@sha256:….
    command: What is run, instead of the image's entrypoint. $(NAME) stands for an environment variable. No shell is involved.
    args: Arguments for it, instead of the image's.
    workingDir: The directory it starts in, instead of the image's.
    ports: Ports it listens on. They document, and give names; a port that is not listed can be reached as well.
    envFrom: Config maps and secrets whose keys all become environment variables; env wins.
    env: Environment variables.
    resources: What it needs, and what it may use at most.
    resizePolicy: Whether it must be restarted when its resources change.
    restartPolicy: What happens when it ends, if not what the pod's policy says. For an init container, Always makes a sidecar.
    restartPolicyRules: Exceptions, by exit code.
    volumeMounts: Where the pod's volumes appear in its file system.
    volumeDevices: Where raw block devices appear.
    livenessProbe: When this fails, the container is restarted.
    readinessProbe: While this fails, the container is not ready and gets no traffic.
    startupProbe: Until this has succeeded, the other probes wait.
    lifecycle: What is done right after its start and before its end.
    terminationMessagePath: A file in the container whose text is shown when it ends; /dev/termination-log if not given.
    terminationMessagePolicy: File, or FallbackToLogsOnError: the end of the log, when the container failed and left no text.
    imagePullPolicy: Always, IfNotPresent or Never. Always is the default for the tag latest or none, else IfNotPresent.
    securityContext: Users, capabilities and other security settings.
    stdin: Keep its standard input open, for attach.
    stdinOnce: Close that input after the first client has gone.
    tty: Give it a terminal.`;

export const containerDescriptions: Descriptions = {
  "core/v1.Container": `
    One container of a pod.${container}
  `,
  "core/v1.EphemeralContainer": `
    A container added to a running pod to look into it. It is never restarted, and cannot be removed.${container}
    targetContainerName: The container whose processes it sees.
  `,
  "core/v1.ContainerPort": `
    A port a container listens on.
    name: A name by which probes and Services refer to it.
    containerPort: The port.
    protocol: TCP (the default), UDP or SCTP.
    hostPort: A port of the node that leads here. Better use a Service.
    hostIP: The node's address on which that port is open.
  `,
  "core/v1.EnvVar": `
    An environment variable.
    name: Its name.
    value: Its value; $(NAME) stands for a variable before it, $$ for a dollar sign.
    valueFrom: Where the value comes from, if it is not given.
  `,
  "core/v1.EnvVarSource": `
    Where a variable's value comes from.
    fieldRef: A field of the pod, such as metadata.name or status.podIP.
    resourceFieldRef: A container's request or limit.
    configMapKeyRef: A key of a config map.
    secretKeyRef: A key of a secret.
    fileKeyRef: A variable in a file of a volume.
  `,
  "core/v1.EnvFromSource": `
    Variables from all keys of an object.
    prefix: Put before each key.
    configMapRef: The config map.
    secretRef: The secret.
  `,
  "core/v1.ConfigMapEnvSource": `
    A config map whose keys become variables.
    name: The config map's name.
    optional: Without the config map, the container starts nevertheless.
  `,
  "core/v1.SecretEnvSource": `
    A secret whose keys become variables.
    name: The secret's name.
    optional: Without the secret, the container starts nevertheless.
  `,
  "core/v1.ObjectFieldSelector": `
    A field of the pod.
    apiVersion: The version the path is written in; v1 if not given.
    fieldPath: The path, such as metadata.labels['app'].
  `,
  "core/v1.ResourceFieldSelector": `
    A container's request or limit.
    containerName: The container; for a variable, the one it belongs to.
    resource: Such as limits.cpu or requests.memory.
    divisor: The unit of the answer; 1 if not given.
  `,
  "core/v1.ConfigMapKeySelector": `
    A key of a config map.
    name: The config map's name.
    key: The key.
    optional: Without it, the container starts nevertheless.
  `,
  "core/v1.SecretKeySelector": `
    A key of a secret.
    name: The secret's name.
    key: The key.
    optional: Without it, the container starts nevertheless.
  `,
  "core/v1.ResourceRequirements": `
    What a container needs and may use.
    limits: The most it may use. Above its CPU limit it is slowed down; above its memory limit it is killed.
    requests: What is set aside for it; the scheduler counts this. As the limits, if not given.
    claims: Devices it uses, from the pod's resourceClaims.
  `,
  "core/v1.ContainerResizePolicy": `
    What a change of a resource needs.
    resourceName: cpu or memory.
    restartPolicy: NotRequired or RestartContainer.
  `,
  "core/v1.Probe": `
    A check that is made again and again.
    exec: Run a command; exit code 0 is success.
    httpGet: Ask over HTTP; a status from 200 to 399 is success.
    tcpSocket: Open a connection; that it opens is success.
    grpc: Ask gRPC's health service.
    initialDelaySeconds: How long after the container's start the first check is made.
    timeoutSeconds: A check that takes longer has failed; 1 if not given.
    periodSeconds: How often it is made; 10 if not given.
    successThreshold: So many successes in a row, after a failure, count as success; 1 if not given.
    failureThreshold: So many failures in a row count as failure; 3 if not given.
    terminationGracePeriodSeconds: How long the container has to end after a failure, instead of what the pod says.
  `,
  "core/v1.ExecAction": `
    Runs a command in the container.
    command: The command and its arguments. No shell is involved.
  `,
  "core/v1.HTTPGetAction": `
    Asks over HTTP.
    path: The path; / if not given.
    port: The port's number or name.
    host: The host; the pod's address if not given.
    scheme: HTTP (the default) or HTTPS, whose certificate is not checked.
    httpHeaders: Headers to send.
  `,
  "core/v1.HTTPHeader": `
    A header.
    name: Its name.
    value: Its value.
  `,
  "core/v1.TCPSocketAction": `
    Opens a connection.
    port: The port's number or name.
    host: The host; the pod's address if not given.
  `,
  "core/v1.GRPCAction": `
    Asks gRPC's health service.
    port: The port's number.
    service: The service that is asked about.
  `,
  "core/v1.SleepAction": `
    Waits.
    seconds: How long.
  `,
  "core/v1.Lifecycle": `
    What is done around a container's life.
    postStart: Done right after the start; if it fails, the container is killed.
    preStop: Done before the TERM signal; its time counts towards the grace period.
    stopSignal: The signal that asks the container to end, instead of the image's.
  `,
  "core/v1.LifecycleHandler": `
    One thing to do.
    exec: Run a command in the container.
    httpGet: Ask over HTTP.
    tcpSocket: Deprecated; does nothing useful.
    sleep: Wait.
  `,
  "core/v1.SecurityContext": `
    Security settings of a container. They win over the pod's.
    capabilities: Rights of root that it gets or loses.
    privileged: Give it nearly all that root on the node may do.
    runAsUser: The user's number it runs as, instead of the image's.
    runAsGroup: The group's number it runs as.
    runAsNonRoot: Refuse to start it as user 0.
    readOnlyRootFilesystem: It cannot write to its own file system, only to volumes.
    allowPrivilegeEscalation: Whether a process may get more rights than its parent; false sets no_new_privs.
    procMount: Default, or Unmasked: all of /proc is seen.
    seccompProfile: Which system calls are allowed.
    appArmorProfile: The AppArmor profile.
    seLinuxOptions: The SELinux label.
    windowsOptions: Settings for Windows.
  `,
  "core/v1.Capabilities": `
    Rights of root, such as NET_ADMIN; ALL stands for all of them.
    add: Given in addition to the usual ones.
    drop: Taken away.
  `,
  "core/v1.SeccompProfile": `
    Which system calls are allowed.
    type: RuntimeDefault, Localhost or Unconfined.
    localhostProfile: The profile's file on the node, for Localhost.
  `,
  "core/v1.AppArmorProfile": `
    An AppArmor profile.
    type: RuntimeDefault, Localhost or Unconfined.
    localhostProfile: The profile's name on the node, for Localhost.
  `,
  "core/v1.ContainerStatus": `
    The state of a container.
    name: The container's name.
    state: What it is doing now.
    lastState: How its last run before this one ended.
    ready: Whether its readiness probe, if it has one, succeeds.
    restartCount: How often it has been restarted.
    image: The image it runs.
    imageID: The digest of the image it runs.
    containerID: Its id, with the name of the runtime before it.
    started: Whether it runs, its startup probe has succeeded and postStart is done.
    allocatedResources: What the node has set aside for it.
    allocatedResourcesStatus: The health of devices it uses.
    resources: What is really set for it.
    volumeMounts: What is really mounted.
    user: The user and groups it started with.
    stopSignal: The signal that asks it to end.
  `,
  "core/v1.ContainerState": `
    What a container is doing: one of these.
    waiting: It does not run yet, or not again.
    running: It runs.
    terminated: It has ended.
  `,
  "core/v1.ContainerStateWaiting": `
    Why a container does not run.
    reason: In one word, such as ContainerCreating, ImagePullBackOff or CrashLoopBackOff.
    message: For a person.
  `,
  "core/v1.ContainerStateRunning": `
    A container that runs.
    startedAt: Since when.
  `,
  "core/v1.ContainerStateTerminated": `
    How a container ended.
    exitCode: Its exit code; 128 and the signal's number when a signal ended it.
    signal: The signal.
    reason: In one word: Completed, Error, OOMKilled, ContainerCannotRun or another.
    message: The text it left, or what went wrong.
    startedAt: When it started.
    finishedAt: When it ended.
    containerID: Its id.
  `,
};

import type { Descriptions } from "./describe.ts";

export const podDescriptions: Descriptions = {
  "core/v1.Pod": `
    Containers that live together on one node: they share an address, a set of ports, volumes, and one life.
    spec: What should run.
    status: What runs, as the node reports it.
  `,
  "core/v1.PodTemplateSpec": `
    What pods are made from.
    metadata: The labels and annotations that each pod gets.
    spec: What should run in each pod.
  `,
  "core/v1.PodSpec": `
    What runs in a pod, and where.
    volumes: Directories that the pod's containers can mount.
    initContainers: Run one after the other, each to its end, before the others start. One with restartPolicy Always is a sidecar: it is started in its turn and goes on beside the others.
    containers: Run side by side for as long as the pod lives; at least one.
    ephemeralContainers: Added to a running pod to look into it; see kubectl debug.
    restartPolicy: What happens when a container ends: Always (the default), OnFailure or Never.
    terminationGracePeriodSeconds: How long containers have to end after the TERM signal, before they are killed; 30 if not given.
    activeDeadlineSeconds: After so many seconds the pod is ended and counts as failed.
    dnsPolicy: Where names are looked up: ClusterFirst (the default), ClusterFirstWithHostNet, Default (as the node does) or None (only dnsConfig).
    nodeSelector: Labels that the node must have.
    serviceAccountName: Who the pod's processes are towards the API; default if not given.
    serviceAccount: The old name of serviceAccountName.
    automountServiceAccountToken: Whether containers find a token of the service account at the usual path.
    nodeName: The node the pod is on. Set by the scheduler; whoever sets it passes the scheduler by.
    hostNetwork: Use the node's network instead of one of the pod's own.
    hostPID: See the node's processes.
    hostIPC: Share the node's inter-process communication.
    shareProcessNamespace: Containers of the pod see each other's processes.
    securityContext: Users, groups and other security settings for all containers.
    imagePullSecrets: Secrets with credentials for the images' registries.
    hostname: The pod's host name; its own name if not given.
    subdomain: With a headless Service of this name, the pod gets a DNS name below it.
    affinity: Near or away from which nodes and pods it should run.
    schedulerName: Which scheduler places it; default-scheduler if not given.
    tolerations: Taints of nodes that do not keep the pod away.
    hostAliases: Lines added to /etc/hosts.
    priorityClassName: The class that the pod's priority is taken from.
    priority: The priority, as taken from the class.
    dnsConfig: Settings for the pod's resolv.conf.
    readinessGates: Further conditions that must hold before the pod counts as ready.
    runtimeClassName: Which runtime runs the containers, if not the node's default.
    enableServiceLinks: Whether containers get environment variables for each Service; true if not given.
    preemptionPolicy: Whether pods of lower priority may be removed to make room for this one.
    overhead: What the pod needs beside its containers, as the runtime class says.
    topologySpreadConstraints: How evenly the pods that match are spread over zones, nodes and the like.
    setHostnameAsFQDN: The host name is the full domain name.
    os: The operating system the pod needs.
    hostUsers: Whether the containers' users are the node's; false gives the pod a user namespace of its own.
    schedulingGates: The pod is not scheduled while one of these is left.
    resourceClaims: Claims to devices that containers may refer to.
    resources: What all containers may use together.
    hostnameOverride: The host name, whatever the other fields say.
    schedulingGroup: The group of pods with which this one is scheduled.
  `,
  "core/v1.PodStatus": `
    What is known of a pod.
    observedGeneration: The generation of the spec that this is about.
    phase: Pending, Running, Succeeded, Failed or Unknown: a summary; the conditions and container statuses say more.
    conditions: PodScheduled, Initialized, ContainersReady, Ready and others.
    message: Why the pod is in its state, for a person.
    reason: Why, in one word, such as Evicted.
    nominatedNodeName: The node on which room is being made for the pod.
    hostIP: The address of the node.
    hostIPs: The addresses of the node.
    podIP: The pod's address.
    podIPs: The pod's addresses, at most one of each family.
    startTime: When the node took the pod on.
    initContainerStatuses: The state of each init container, in order.
    containerStatuses: The state of each container.
    ephemeralContainerStatuses: The state of each ephemeral container.
    qosClass: Guaranteed, Burstable or BestEffort, by what the containers request; it decides who goes first when memory runs out.
    resize: Deprecated; see the conditions PodResizePending and PodResizeInProgress.
    resourceClaimStatuses: The claims made for the pod.
    resources: What is really set for the pod as a whole.
    allocatedResources: What the node has set aside for the pod as a whole.
  `,
  "core/v1.PodCondition": `
    One aspect of a pod's state.
    type: PodScheduled, PodReadyToStartContainers, Initialized, ContainersReady, Ready, DisruptionTarget or another.
    status: True, False or Unknown.
    observedGeneration: The generation of the spec that this was said of.
    lastProbeTime: When it was last checked.
    lastTransitionTime: When the status last changed.
    reason: Why, in one word for programs.
    message: Why, for a person.
  `,
  "core/v1.PodIP": `
    An address of a pod.
    ip: The address.
  `,
  "core/v1.HostIP": `
    An address of a node.
    ip: The address.
  `,
  "core/v1.PodDNSConfig": `
    Settings for a pod's resolv.conf, beside those of its dnsPolicy.
    nameservers: Servers that are asked.
    searches: Domains in which short names are looked up.
    options: Options of the resolver, such as ndots.
  `,
  "core/v1.PodDNSConfigOption": `
    An option of the resolver.
    name: Its name.
    value: Its value, if it has one.
  `,
  "core/v1.HostAlias": `
    A line of /etc/hosts.
    ip: The address.
    hostnames: Its names.
  `,
  "core/v1.PodReadinessGate": `
    A condition that must hold before the pod is ready.
    conditionType: The condition's type.
  `,
  "core/v1.PodSchedulingGate": `
    Holds back a pod from being scheduled.
    name: Who holds it back.
  `,
  "core/v1.PodOS": `
    The operating system a pod needs.
    name: linux or windows.
  `,
  "core/v1.PodSecurityContext": `
    Security settings for all containers of a pod. A container's own settings win.
    runAsUser: The user's number the processes run as, instead of the image's.
    runAsGroup: The group's number the processes run as.
    runAsNonRoot: Refuse to start a container as user 0.
    supplementalGroups: Further groups the processes belong to.
    supplementalGroupsPolicy: Whether groups that the image's /etc/group gives the user count too: Merge or Strict.
    fsGroup: A group that owns the volumes, and that the processes belong to.
    fsGroupChangePolicy: Whether a volume's files always get that owner, or only when its root does not have it.
    sysctls: Kernel settings of the pod's namespaces.
    seccompProfile: Which system calls are allowed.
    appArmorProfile: The AppArmor profile.
    seLinuxOptions: The SELinux label.
    seLinuxChangePolicy: How volumes get that label.
    windowsOptions: Settings for Windows.
  `,
  "core/v1.Sysctl": `
    A kernel setting.
    name: Its name, such as net.core.somaxconn.
    value: Its value.
  `,
};

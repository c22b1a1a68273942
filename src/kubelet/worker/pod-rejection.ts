/** The node cannot have the pod, and it is no use to wait: the pod fails. As kubelet's `rejectPod`. */
export class PodRejection extends Error {
  override name = "PodRejection";
  /** Of the pod's status and of the event. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

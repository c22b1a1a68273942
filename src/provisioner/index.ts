export {
  HostPathProvisioner,
  type HostPathProvisionerOptions,
  provisionerName,
} from "./hostpath-provisioner.ts";

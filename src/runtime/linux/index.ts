export { createLinuxHost, insideNamespaces, type LinuxHost } from "./host.ts";
export type { Syscalls } from "./syscalls.ts";
export { SyscallError } from "./syscalls.ts";
export { runTool, ToolError } from "./tool.ts";

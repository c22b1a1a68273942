import { contractSuite } from "../contract.suite.ts";
import { containerdMissing, createContainerdBed } from "./containerd.suite.ts";

contractSuite("containerd", createContainerdBed, containerdMissing);

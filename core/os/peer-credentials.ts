import type { PeerCredentials } from './contract.ts';
import { callFailed } from './libc.ts';
import { getOption, readUint32 } from './socket-options.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;

/** Who connected this Unix socket. `fd` of an accepted one (see socketFd). MeshError UNSUPPORTED, or INTERNAL when it is no Unix socket. */
export function peerCredentials(fd: number): PeerCredentials {
  const found = getOption(fd, SOL_SOCKET, SO_PEERCRED, 12);
  if ('errno' in found) throw callFailed('getsockopt(SO_PEERCRED)', found.errno);
  const { bytes } = found;
  const [pid, uid, gid] = [readUint32(bytes, 0), readUint32(bytes, 4), readUint32(bytes, 8)];
  // A socket of another family has no peer of this kind, and says so with ids of -1.
  if (bytes.length < 12 || uid === 0xffff_ffff) throw callFailed('getsockopt(SO_PEERCRED): not a connected Unix socket', 0);
  return { pid, uid, gid };
}

/**
 * The supplementary groups of who connected this Unix socket, as they were then: unlike /proc/PID/status these are of the process that connected,
 * whatever has its id now. MeshError as peerCredentials; also for kernels before 4.13.
 */
export function peerGroups(fd: number): readonly number[] {
  const found = getOption(fd, SOL_SOCKET, SO_PEERGROUPS, 256);
  if ('errno' in found) throw callFailed('getsockopt(SO_PEERGROUPS)', found.errno);
  return Array.from({ length: Math.floor(found.bytes.length / 4) }, (_, at) => readUint32(found.bytes, 4 * at));
}

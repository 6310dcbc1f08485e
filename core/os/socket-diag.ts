import { addressBytes } from './addresses.ts';
import type { TcpPair } from './contract.ts';
import { callFailed, libc, unsupported } from './libc.ts';
import { readUint32, writeUint32 } from './socket-options.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 1;
const IPPROTO_TCP = 6;
const MSG_DONTWAIT = 0x40;
const ENOENT = 2;
const requestBytes = 72;

/** One socket, as sock_diag(7) describes it. */
export interface SocketOwner {
  readonly uid: number;
  /** 0: no program holds it any more. */
  readonly inode: number;
}

/**
 * Who owns the TCP socket of this network namespace with just these ends: one look-up in the kernel's hash table, whatever the number of
 * connections. Undefined: there is no such socket. MeshError UNSUPPORTED where the kernel answers no such questions (sandboxes, other systems).
 */
export function socketOwner(pair: TcpPair): SocketOwner | undefined {
  const request = ownerRequest(pair);
  if (request === undefined) return undefined;
  const os = libc();
  // One socket a question: nothing of an earlier one can be taken for its answer, and it costs microseconds.
  const fd = os.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) throw unsupported(`no netlink socket for sock_diag: errno ${os.errno()}`);
  try {
    if (os.send(fd, request, request.length, 0) !== request.length) throw unsupported(`sock_diag takes no question: errno ${os.errno()}`);
    const reply = Buffer.alloc(512);
    // The kernel has answered by the time that send returns.
    const length = os.recv(fd, reply, reply.length, MSG_DONTWAIT);
    if (length < 0) throw callFailed('recv(NETLINK_SOCK_DIAG)', os.errno());
    return readOwner(reply.subarray(0, length));
  } finally {
    os.close(fd);
  }
}

/** nlmsghdr and inet_diag_req_v2, for one socket without a cookie. */
function ownerRequest({ local, remote }: TcpPair): Buffer | undefined {
  const [from, to] = [addressBytes(local.address), addressBytes(remote.address)];
  if (from === undefined || to === undefined || from.length !== to.length) return undefined;
  const request = Buffer.alloc(requestBytes);
  writeUint32(request, requestBytes, 0);
  // Type and flags: two 16-bit words in the byte order of the machine.
  Buffer.from(new Uint16Array([SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST]).buffer).copy(request, 4);
  writeUint32(request, 1, 8);
  request[16] = from.length === 4 ? AF_INET : AF_INET6;
  request[17] = IPPROTO_TCP;
  writeUint32(request, 0xffff_ffff, 20);
  request.writeUInt16BE(local.port, 24);
  request.writeUInt16BE(remote.port, 26);
  from.copy(request, 28);
  to.copy(request, 44);
  request.fill(0xff, 64, 72);
  return request;
}

function readOwner(reply: Buffer): SocketOwner | undefined {
  if (reply.length < 20) throw callFailed('sock_diag: a short answer', 0);
  const type = new Uint16Array(Uint8Array.from(reply.subarray(4, 6)).buffer)[0];
  if (type === NLMSG_ERROR) {
    const errno = -(readUint32(reply, 16) | 0);
    if (errno === ENOENT) return undefined;
    throw unsupported(`sock_diag does not answer here: errno ${errno}`);
  }
  if (type !== SOCK_DIAG_BY_FAMILY || reply.length < 88) throw callFailed(`sock_diag: an answer of type ${type}`, 0);
  return { uid: readUint32(reply, 80), inode: readUint32(reply, 84) };
}

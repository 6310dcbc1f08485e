export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

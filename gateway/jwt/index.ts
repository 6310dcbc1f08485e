export { TokenAuthenticator } from './authenticate.ts';

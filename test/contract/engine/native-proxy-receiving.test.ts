import { makeNative } from './make-native.ts';
import { proxyReceivingSuite } from './proxy-receiving-suite.ts';

proxyReceivingSuite('native', makeNative);

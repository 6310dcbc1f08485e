import { makeNative } from './make-native.ts';
import { proxySendingSuite } from './proxy-sending-suite.ts';

proxySendingSuite('native', makeNative);

export * from './eci.ts';

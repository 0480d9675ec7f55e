/** What becomes of each kind of volume. */
import { flag, integer, list, object, quantity, refused, required, settled, text, type ValueOf } from './field.ts';
import { fieldRef, resourceFieldRef } from './container-fields.ts';

const owner = refused(
  'ECI cannot set the owner of files; remove it, and give the files a mode that lets the process read them',
);

const items = list(object({ key: required(text()), path: required(text()), mode: integer(), user: owner }));
const downwardItems = list(
  object({ path: required(text()), fieldRef, resourceFieldRef, mode: integer(), user: owner }),
  'Written once, when the group is created.',
);

const noPlugin = 'volumes of this kind are not supported on ECI; use nfs, emptyDir, configMap or secret';
const notYet = 'is not supported yet; use nfs for shared storage, or emptyDir for temporary storage';

export const volume = object({
  name: required(text()),
  emptyDir: object({
    medium: text('Empty or Memory.'),
    sizeLimit: quantity(),
    mode: refused('ECI always gives 0777; remove mode', (value) => value === 0o777),
  }),
  configMap: object(
    { name: text(), items, defaultMode: integer(), defaultUser: owner, optional: flag() },
    'At most 90 files of 32 KiB each.',
  ),
  secret: object(
    { secretName: text(), items, defaultMode: integer(), defaultUser: owner, optional: flag() },
    'At most 90 files of 32 KiB each.',
  ),
  downwardAPI: object({ items: downwardItems, defaultMode: integer(), defaultUser: owner }),
  projected: object({
    defaultMode: integer(),
    defaultUser: owner,
    sources: list(
      object({
        configMap: object({ name: text(), items, optional: flag() }),
        secret: object({ name: text(), items, optional: flag() }),
        downwardAPI: object({ items: downwardItems }),
        serviceAccountToken: object({
          path: required(text('The token is the one of the moment of creation; ECI cannot renew it.')),
          user: owner,
          audience: settled('The token was asked for with it.'),
          expirationSeconds: settled('The token was asked for with it.'),
        }),
        clusterTrustBundle: refused('clusterTrustBundle is not supported yet; use a ConfigMap'),
        podCertificate: refused(
          'ECI cannot renew files of a running group, so certificates of the pod cannot be given',
        ),
      }),
    ),
  }),
  nfs: object({ server: required(text()), path: required(text()), readOnly: flag() }),
  hostPath: refused('ECI has no host whose files could be shown; use emptyDir, nfs, configMap or secret'),
  persistentVolumeClaim: refused(notYet),
  ephemeral: refused(notYet),
  csi: refused(notYet),
  flexVolume: refused(notYet),
  image: refused('image volumes are not supported on ECI; copy the files with an init container'),
  awsElasticBlockStore: refused(noPlugin),
  azureDisk: refused(noPlugin),
  azureFile: refused(noPlugin),
  cephfs: refused(noPlugin),
  cinder: refused(noPlugin),
  fc: refused(noPlugin),
  flocker: refused(noPlugin),
  gcePersistentDisk: refused(noPlugin),
  gitRepo: refused(noPlugin),
  glusterfs: refused(noPlugin),
  iscsi: refused(noPlugin),
  photonPersistentDisk: refused(noPlugin),
  portworxVolume: refused(noPlugin),
  quobyte: refused(noPlugin),
  rbd: refused(noPlugin),
  scaleIO: refused(noPlugin),
  storageos: refused(noPlugin),
  vsphereVolume: refused(noPlugin),
});
export type Volume = ValueOf<typeof volume>;

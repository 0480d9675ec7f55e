import type { Parameters } from './parameters.ts';
import { invalid, WireError } from './wire-error.ts';

const KINDS = ['EmptyDirVolume', 'ConfigFileVolume', 'NFSVolume', 'FlexVolume', 'HostPathVolume', 'DiskVolume'];
const FILE_MAX = 32 * 1024;

/** Reads `Volume.N` and gives it back in the flattened form of DescribeContainerGroups. */
export function readVolume(from: Parameters): Readonly<Record<string, unknown>> & { readonly Name: string } {
  const Name = from.requiredText('Name', { max: 253 });
  const Type = from.requiredText('Type');
  if (!KINDS.includes(Type))
    throw new WireError('InvalidVolumeType', 400, `${from.nameOf('Type')} must be one of ${KINDS.join(', ')}.`);
  const own = from.child(Type);
  switch (Type) {
    case 'EmptyDirVolume':
      return {
        Name,
        Type,
        EmptyDirVolumeMedium: own?.text('Medium', { oneOf: ['', 'Memory', 'memory', 'LocalRaid0'] }) ?? '',
        EmptyDirVolumeSizeLimit: own?.text('SizeLimit') ?? '',
      };
    case 'ConfigFileVolume': {
      const files = own?.list('ConfigFileToPath', { max: 90 }) ?? [];
      own?.integer('DefaultMode', { min: 0 });
      return {
        Name,
        Type,
        ConfigFileVolumeConfigFileToPaths: files.map((file) => {
          const Content = file.text('Content') ?? '';
          file.integer('Mode', { min: 0 });
          if (!/^[A-Za-z0-9+/]*={0,2}$/.test(Content)) throw invalid(`${file.nameOf('Content')} must be base64.`);
          if ((Content.length / 4) * 3 - 2 > FILE_MAX)
            throw invalid(`${file.nameOf('Content')} may hold at most 32 KB.`, 'InvalidParameter.LengthExceeded');
          return { Path: file.requiredText('Path'), Content };
        }),
      };
    }
    case 'NFSVolume':
      return {
        Name,
        Type,
        NFSVolumeServer: own?.requiredText('Server') ?? lacks(from, Type),
        NFSVolumePath: own?.requiredText('Path') ?? lacks(from, Type),
        NFSVolumeReadOnly: own?.flag('ReadOnly') ?? false,
      };
    case 'FlexVolume':
      return {
        Name,
        Type,
        FlexVolumeDriver:
          own?.requiredText('Driver', { oneOf: ['alicloud/disk', 'alicloud/nas', 'alicloud/oss'] }) ??
          lacks(from, Type),
        FlexVolumeFsType: own?.text('FsType') ?? '',
        FlexVolumeOptions: own?.text('Options') ?? '',
      };
    case 'HostPathVolume':
      throw new WireError('Forbidden.OnlyForInvitedTest', 403, 'HostPath volumes are open to invited accounts only.');
    default:
      return {
        Name,
        Type,
        DiskVolumeDiskId: own?.text('DiskId') ?? '',
        DiskVolumeFsType: own?.text('FsType') ?? '',
      };
  }
}

function lacks(from: Parameters, type: string): never {
  throw invalid(`${from.nameOf(type)} is required for a volume of type ${type}.`, 'MissingParameter');
}

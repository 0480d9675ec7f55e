/** Regions with an endpoint of ECI (OpenAPI metadata of product ECI, December 2025). Newer ones are named in an account's list of regions. */
const KNOWN: ReadonlySet<string> = new Set([
  'cn-qingdao',
  'cn-beijing',
  'cn-zhangjiakou',
  'cn-zhengzhou-jva',
  'cn-huhehaote',
  'cn-wulanchabu',
  'cn-hangzhou',
  'cn-shanghai',
  'cn-nanjing',
  'cn-fuzhou',
  'cn-wuhan-lr',
  'cn-shenzhen',
  'cn-heyuan',
  'cn-guangzhou',
  'cn-chengdu',
  'cn-hongkong',
  'ap-northeast-1',
  'ap-northeast-2',
  'ap-southeast-1',
  'ap-southeast-2',
  'ap-southeast-3',
  'ap-southeast-5',
  'ap-southeast-6',
  'ap-southeast-7',
  'ap-south-1',
  'us-east-1',
  'us-west-1',
  'eu-west-1',
  'eu-central-1',
  'me-east-1',
  'me-central-1',
]);

/** Regions of the finance cloud carry it in their names, for example `cn-shanghai-finance-1`. */
export function isKnownRegion(region: string): boolean {
  return KNOWN.has(region) || /^cn-[a-z-]*finance(-\d+)?$/.test(region);
}

/** The one place that knows how the SDK is packaged. */
import { createRequire } from 'node:module';
import type eci from '@alicloud/eci20180808';
import type openApiTypes from '@alicloud/openapi-client';
import type teaUtilTypes from '@alicloud/tea-util';

// `require`, because the packages are CommonJS that claims to be ESM: `import` gives other objects under Node than under a bundler's runtime.
const require = createRequire(import.meta.url);
const sdk = require('@alicloud/eci20180808') as typeof eci;
const openApi = require('@alicloud/openapi-client') as typeof openApiTypes;
const teaUtil = require('@alicloud/tea-util') as typeof teaUtilTypes;

export const SdkClient = sdk.default;
export type SdkClient = InstanceType<typeof sdk.default>;
export const SdkConfig = openApi.Config;
/** Speaks to any product of the cloud. */
export const ApiClient = openApi.default;
export const ApiParameters = openApi.Params;
export const ApiRequest = openApi.OpenApiRequest;
export const { RuntimeOptions, ExtendsParameters } = teaUtil;
export const {
  CreateContainerGroupRequest,
  DeleteContainerGroupRequest,
  DescribeContainerGroupsRequest,
  DescribeContainerGroupStatusRequest,
} = sdk;

export type Group = eci.DescribeContainerGroupsResponseBodyContainerGroups;
export type GroupContainer = eci.DescribeContainerGroupsResponseBodyContainerGroupsContainers;
export type GroupInitContainer = eci.DescribeContainerGroupsResponseBodyContainerGroupsInitContainers;
export type StatusRow = eci.DescribeContainerGroupStatusResponseBodyData;
export type StatusContainer = eci.DescribeContainerGroupStatusResponseBodyDataPodStatusContainerStatuses;
export type StatusState = eci.DescribeContainerGroupStatusResponseBodyDataPodStatusContainerStatusesState;

/**
 * The fields of a request class as plain data, at every depth. Writing requests in this type makes a misspelt property a type error; the SDK
 * itself would drop it without a word.
 */
type Fields<T> = T extends readonly (infer Item)[]
  ? readonly Fields<Item>[]
  : T extends object
    ? { readonly [K in keyof T as T[K] extends (...args: never[]) => unknown ? never : K]?: Fields<T[K]> | undefined }
    : T;

export type CreateFields = Fields<eci.CreateContainerGroupRequest>;
export type ContainerFields = Fields<eci.CreateContainerGroupRequestContainer>;
export type InitContainerFields = Fields<eci.CreateContainerGroupRequestInitContainer>;
export type VolumeFields = Fields<eci.CreateContainerGroupRequestVolume>;
export type ProbeFields = Fields<eci.CreateContainerGroupRequestContainerLivenessProbe>;

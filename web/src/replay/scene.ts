/** What there is to see: bodies, joints, shapes. Quaternions are (w, x, y, z). */
import { unpack, type ArrayAt } from './container'

export interface Body {
  name: string
  parent: number
  pos: number[]
  quat: number[]
  joints: [first: number, count: number]
  mocap: number
  mass: number
  centre: number[]
}

export const FREE = 0
export const BALL = 1
export const SLIDE = 2
export const HINGE = 3

/** Types of shapes, of which code asks. */
export const PLANE = 0
export const CAPSULE = 3
export const CYLINDER = 5
export const MESH = 7

export interface Joint {
  name: string
  type: number
  qpos: number
  body: number
  pos: number[]
  axis: number[]
  range: [number, number] | null
}

export interface Geom {
  name: string
  body: number
  type: number
  size: number[]
  pos: number[]
  quat: number[]
  group: number
  data: number
  material: number
  rgba: number[]
}

export interface Material {
  rgba: number[]
  specular: number
  shininess: number
  emission: number
  texture: number
  repeat: number[]
  uniform: boolean
}

export interface Mesh {
  low: number[]
  step: number
  points: ArrayAt
  normals: ArrayAt
  index: ArrayAt
  uv?: ArrayAt
}

export interface SceneHeader {
  digest: string
  nq: number
  qpos0: number[]
  extent: number
  bodies: Body[]
  joints: Joint[]
  actuators: { name: string; joint: number; gear: number; limit: number | null }[]
  geoms: Geom[]
  materials: Material[]
  textures: { mean: number[]; pixels?: ArrayAt }[]
  meshes: Record<string, Mesh>
  hfields: { size: number[]; heights: ArrayAt }[]
  sky: [number[], number[]] | null
}

export interface Scene extends SceneHeader {
  data: DataView
}

export function openScene(buffer: ArrayBuffer): Scene {
  const { header, data } = unpack<SceneHeader>(buffer, 'TWSC')
  return { ...header, data }
}

/** Overrides that move or shape something: by field, element, component and value. */
export type Shape = Record<string, [element: number, component: number, value: number][]>

const FIELDS = {
  body_pos: (scene: Scene, i: number) => scene.bodies[i]?.pos,
  body_quat: (scene: Scene, i: number) => scene.bodies[i]?.quat,
  body_ipos: (scene: Scene, i: number) => scene.bodies[i]?.centre,
  geom_pos: (scene: Scene, i: number) => scene.geoms[i]?.pos,
  geom_size: (scene: Scene, i: number) => scene.geoms[i]?.size,
  jnt_range: (scene: Scene, i: number) => scene.joints[i]?.range,
}

/** The scene of one episode: as it was randomised. */
export function shaped(scene: Scene, shape: Shape): Scene {
  if (!Object.keys(shape).length) return scene
  const own: Scene = {
    ...scene,
    bodies: structuredClone(scene.bodies),
    geoms: structuredClone(scene.geoms),
    joints: structuredClone(scene.joints),
  }
  for (const [field, changes] of Object.entries(shape))
    for (const [element, component, value] of changes) {
      const body = own.bodies[element]
      if (field === 'body_mass' && body) body.mass = value
      const numbers = FIELDS[field as keyof typeof FIELDS]?.(own, element)
      if (numbers) numbers[component] = value
    }
  return own
}

/** Shapes of a scene as three.js geometries and materials. */
import {
  BoxGeometry,
  BufferAttribute,
  BufferGeometry,
  CapsuleGeometry,
  Color,
  CylinderGeometry,
  DataTexture,
  LinearFilter,
  LinearMipmapLinearFilter,
  MeshLambertMaterial,
  MeshPhongMaterial,
  PlaneGeometry,
  RepeatWrapping,
  SphereGeometry,
  SRGBColorSpace,
  type Material,
} from 'three'
import { arrayAt } from './container'
import { CAPSULE, CYLINDER, MESH, PLANE, type Geom, type Scene } from './scene'

/** Half the side of a plane without an end, m. */
export const ENDLESS = 60

export interface Quality {
  /** Drawn by the processor: fewer corners, plain light. */
  low: boolean
}

export function geometryOf(scene: Scene, geom: Geom, { low }: Quality): BufferGeometry | null {
  const [x = 0, y = 0, z = 0] = geom.size
  const around = low ? 12 : 28
  switch (geom.type) {
    case PLANE:
      return plane(x || ENDLESS, y || ENDLESS)
    case 1:
      return hfield(scene, geom)
    case 2:
      return new SphereGeometry(x, around, around >> 1)
    case CAPSULE:
      return new CapsuleGeometry(x, 2 * y, low ? 4 : 10, around).rotateX(Math.PI / 2)
    case 4:
      return new SphereGeometry(1, around, around >> 1).scale(x, y, z)
    case CYLINDER:
      return new CylinderGeometry(x, x, 2 * y, around).rotateX(Math.PI / 2)
    case 6:
      return new BoxGeometry(2 * x, 2 * y, 2 * z)
    default:
      return mesh(scene, geom)
  }
}

/** Texture coordinates are metres from the middle: the material's texture scales them. */
function plane(x: number, y: number): BufferGeometry {
  const made = new PlaneGeometry(2 * x, 2 * y)
  const [at, uv] = [made.getAttribute('position'), made.getAttribute('uv')]
  for (let i = 0; i < at.count; i++) uv.setXY(i, at.getX(i), at.getY(i))
  return made
}

function hfield(scene: Scene, geom: Geom): BufferGeometry | null {
  const field = scene.hfields[geom.data]
  if (!field) return null
  const [rows = 2, columns = 2] = field.heights.shape
  const [x = 1, y = 1, top = 1] = field.size
  const heights = arrayAt(scene.data, field.heights, 'uint16')
  const made = new PlaneGeometry(2 * x, 2 * y, columns - 1, rows - 1)
  const at = made.getAttribute('position')
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++)
      // three.js begins at +y, MuJoCo at -y
      at.setZ((rows - 1 - r) * columns + c, (heights[r * columns + c]! / 65535) * top)
  made.computeVertexNormals()
  return made
}

function mesh(scene: Scene, geom: Geom): BufferGeometry | null {
  const told = scene.meshes[geom.data]
  if (!told) return null
  const points = arrayAt(scene.data, told.points, 'uint16')
  const at = Float32Array.from(points, (value, i) => told.low[i % 3]! + value * told.step)
  const normals = arrayAt(scene.data, told.normals, 'int8')
  const made = new BufferGeometry()
  made.setAttribute('position', new BufferAttribute(at, 3))
  made.setAttribute('normal', new BufferAttribute(normals, 3, true))
  if (told.uv) made.setAttribute('uv', new BufferAttribute(arrayAt(scene.data, told.uv, 'float32'), 2))
  const kind = told.index.dtype === 'uint16' ? 'uint16' : 'uint32'
  made.setIndex(new BufferAttribute(arrayAt(scene.data, told.index, kind), 1))
  return made
}

export const colour = (rgb: number[]): Color => new Color().setRGB(rgb[0] ?? 0.5, rgb[1] ?? 0.5, rgb[2] ?? 0.5, SRGBColorSpace)

/** How a shape looks; `tint` draws it as a ghost of that colour. */
export function materialOf(scene: Scene, geom: Geom, { low }: Quality, tint?: number): Material {
  // A little further away than it is: where it is in the same place, the one that is looked at is seen.
  if (tint !== undefined)
    return new MeshLambertMaterial({ color: tint, transparent: true, opacity: 0.5, polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 16 })
  const told = scene.materials[geom.material]
  const rgba = told?.rgba ?? geom.rgba
  const texture = told && told.texture >= 0 ? scene.textures[told.texture] : undefined
  const flat = geom.type === PLANE || geom.type >= MESH
  const pixels = flat ? texture?.pixels : undefined
  const base = colour(texture && !pixels ? rgba.map((value, i) => value * (texture.mean[i] ?? 1)) : rgba)
  const settings = {
    color: base,
    ...(rgba[3]! < 1 && { transparent: true, opacity: rgba[3]! }),
    ...(told?.emission && { emissive: base, emissiveIntensity: told.emission }),
    ...(pixels && { map: textureOf(scene, geom, pixels, told!.repeat, told!.uniform, low) }),
  }
  if (low) return new MeshLambertMaterial(settings)
  const shine = told?.shininess ?? 0.5
  const gloss = 0.35 * (told?.specular ?? 0.5)
  return new MeshPhongMaterial({ ...settings, shininess: 4 + 90 * shine, specular: new Color(gloss, gloss, gloss) })
}

function textureOf(scene: Scene, geom: Geom, told: { at: number; dtype: string; shape: number[] }, repeat: number[], uniform: boolean, low: boolean): DataTexture {
  const [height = 1, width = 1] = told.shape
  const rgb = arrayAt(scene.data, told, 'uint8')
  const rgba = new Uint8Array(width * height * 4).fill(255)
  for (let i = 0; i < width * height; i++) rgba.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i)
  const made = new DataTexture(rgba, width, height)
  made.colorSpace = SRGBColorSpace
  made.wrapS = made.wrapT = RepeatWrapping
  made.magFilter = LinearFilter
  made.minFilter = LinearMipmapLinearFilter
  made.generateMipmaps = true
  // Half of what the processor takes for a picture goes into these samples of the floor.
  made.anisotropy = low ? 1 : 8
  if (geom.type === PLANE) {
    // uniform: so often in a metre; otherwise: so often over the whole shape
    const [x, y] = [0, 1].map((i) => (uniform || !geom.size[i] ? 1 : 1 / (2 * geom.size[i]!)) * (repeat[i] ?? 1))
    made.repeat.set(x!, y!)
  } else made.repeat.set(repeat[0] ?? 1, repeat[1] ?? 1)
  made.needsUpdate = true
  return made
}

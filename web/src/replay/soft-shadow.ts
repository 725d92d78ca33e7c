/**
 * A soft shadow below a robot where the processor draws, for which a real one is too much: every shape is an
 * ellipsoid, which throws an ellipse straight down, the paler and wider the higher it is.
 */
import { InstancedBufferAttribute, InstancedMesh, Matrix3, Matrix4, PlaneGeometry, Quaternion, ShaderMaterial, Vector3, type Mesh } from 'three'

const VERTEX = `
attribute float strength;
varying vec2 place;
varying float dark;
void main() {
  place = position.xy;
  dark = strength;
  gl_Position = projectionMatrix * modelViewMatrix * instanceMatrix * vec4(position, 1.0);
}`
const FRAGMENT = `
varying vec2 place;
varying float dark;
void main() {
  float inside = max(0.0, 1.0 - dot(place, place));
  gl_FragColor = vec4(0.0, 0.0, 0.0, dark * inside * inside);
}`
/** Of what lies on the ground. */
const DARKEST = 0.62
/** Its edge is so much farther out than the shape's. */
const SOFT = 1.5
/** So fast it widens with the height. */
const WIDENS = 0.3

const [turn, at, matrix] = [new Matrix3(), new Vector3(), new Matrix4()]
const [world, body] = [new Matrix4(), new Matrix4()]
const attitude = new Quaternion()
const ONE = new Vector3(1, 1, 1)

export class SoftShadow extends InstancedMesh<PlaneGeometry, ShaderMaterial> {
  private readonly strength: InstancedBufferAttribute
  /** Of each shape where it is in its body, and half its size. */
  private readonly shapes: { body: number; local: Matrix4; half: Vector3 }[]

  /**
   * @param meshes What throws it, and on which body it is.
   * @param ground How high the ground is.
   */
  constructor(
    meshes: { mesh: Mesh; body: number }[],
    private readonly ground: number,
  ) {
    const material = new ShaderMaterial({ vertexShader: VERTEX, fragmentShader: FRAGMENT, transparent: true, depthWrite: false })
    super(new PlaneGeometry(2, 2), material, meshes.length)
    this.shapes = meshes.map(({ mesh, body }) => {
      if (!mesh.geometry.boundingBox) mesh.geometry.computeBoundingBox()
      const box = mesh.geometry.boundingBox!
      mesh.updateMatrix()
      const middle = box.getCenter(new Vector3())
      return { body, local: mesh.matrix.clone().multiply(new Matrix4().setPosition(middle)), half: box.getSize(new Vector3()).multiplyScalar(0.5) }
    })
    this.strength = new InstancedBufferAttribute(new Float32Array(meshes.length), 1)
    this.geometry.setAttribute('strength', this.strength)
    this.frustumCulled = false
  }

  /** Positions and attitudes (w, x, y, z) of the bodies. */
  update(xpos: ArrayLike<number>, xquat: ArrayLike<number>): void {
    this.shapes.forEach(({ body: b, local, half }, i) => {
      attitude.set(xquat[4 * b + 1]!, xquat[4 * b + 2]!, xquat[4 * b + 3]!, xquat[4 * b]!)
      body.compose(at.set(xpos[3 * b]!, xpos[3 * b + 1]!, xpos[3 * b + 2]!), attitude, ONE)
      world.multiplyMatrices(body, local)
      at.setFromMatrixPosition(world)
      const r = turn.setFromMatrix4(world).elements
      const spread = (a: number, c: number) => r[a]! * r[c]! * half.x ** 2 + r[a + 3]! * r[c + 3]! * half.y ** 2 + r[a + 6]! * r[c + 6]! * half.z ** 2
      const height = Math.max(0, at.z - this.ground)
      const blur = (WIDENS * height) ** 2
      const [xx, xy, yy] = [spread(0, 0), spread(0, 1), spread(1, 1)]
      const [wx, wy] = [xx + blur, yy + blur]
      // A disc drawn out to the ellipse of this spread.
      const a = Math.sqrt(wx) || 1e-6
      const c = Math.sqrt(Math.max(1e-12, wy - (xy / a) ** 2))
      matrix.set(SOFT * a, 0, 0, at.x, (SOFT * xy) / a, SOFT * c, 0, at.y, 0, 0, 1, this.ground + 0.002, 0, 0, 0, 1)
      this.setMatrixAt(i, matrix)
      this.strength.setX(i, DARKEST * Math.sqrt(Math.max(0, xx * yy - xy * xy) / (wx * wy - xy * xy || 1)))
    })
    this.instanceMatrix.needsUpdate = this.strength.needsUpdate = true
  }
}

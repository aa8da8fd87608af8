;; The least that a routing filter can do on the bare ABI: read :authority, read :path, set one header. It decides
;; nothing, holds no state, and exports only what Envoy needs to call.
(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
;; (more imports)
  (memory (export "memory") 2)
  (data (i32.const 1024) ":authority:pathx-sealgate-clusterbench")
;; (more data)
  (func (export "proxy_abi_version_0_2_1"))
  ;; Each value lies where the last one did: nothing is kept of it.
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $get (i32.const 0) (i32.const 1024) (i32.const 10) (i32.const 2048) (i32.const 2052)))
    (drop (call $get (i32.const 0) (i32.const 1034) (i32.const 5) (i32.const 2048) (i32.const 2052)))
    (drop (call $set (i32.const 0) (i32.const 1039) (i32.const 18) (i32.const 1057) (i32.const 5)))
;; (more calls)
    (i32.const 0)))

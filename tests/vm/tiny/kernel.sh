# Repacks a distribution's kernel so that it starts sooner under emulation. Sourced.
# Such kernels unpack themselves with xz or zstd, which costs 7 of the 20 CPU seconds of a boot under TCG. The same
# kernel behind an LZ4 unpacker of ours (start.S, unpack.c) needs well under one. What is packed is
# byte for byte the kernel of the package; the real-mode part of its file stays too, but for the header's fields.

# u32 FILE OFFSET, u8 FILE OFFSET : a number out of a file.
u32() { od -An -tu4 -j "$(($2))" -N 4 "$1" | tr -d ' '; }
u8() { od -An -tu1 -j "$(($2))" -N 1 "$1" | tr -d ' '; }

# patch FILE OFFSET BYTES : overwrites bytes of a file, given as printf escapes.
patch() { printf "$3" | dd of="$1" bs=1 seek="$(($2))" conv=notrunc status=none; }

# le32 NUMBER : printf escapes of its four bytes.
le32() { printf '\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }

# extract_kernel BZIMAGE : the ELF file inside. Boot protocol: 0x1f1 setup sectors, 0x248 payload, 0x24c its length
# (the last four bytes are the unpacked size).
extract_kernel() {
    setup_bytes=$((($(u8 "$1" 0x1f1) + 1) * 512))
    payload_at=$((setup_bytes + $(u32 "$1" 0x248)))
    case $(od -An -tx1 -j $payload_at -N 4 "$1" | tr -d ' ') in
        fd377a58) unpacker='xz -dc' ;;
        28b52ffd) unpacker='zstd -qdc' ;;
        *) echo "kernel: payload is neither xz nor zstd" >&2; return 1 ;;
    esac
    tail -c +$((payload_at + 1)) "$1" | head -c $(($(u32 "$1" 0x24c) - 4)) | $unpacker
}

# repack_kernel BZIMAGE OUTPUT : the unpacker and what it holds are loaded at 1 MiB and must end before the kernel's
# own address. Boot protocol: 0x1f4 size of this part in paragraphs, 0x258 where it wants to be loaded, 0x260 how
# much memory from there it needs.
repack_kernel() {
    load_address=0x100000
    extract_kernel "$1" >"$work/vmlinux"
    entry=$(readelf -h "$work/vmlinux" | sed -n 's/.*Entry point address: *//p')
    objcopy -O binary -R .bss -R .brk -R .init.scratch "$work/vmlinux" "$work/vmlinux.flat"
    lz4 -q -f -l -9 "$work/vmlinux.flat" "$work/vmlinux.lz4"
    gcc -m32 -Os -ffreestanding -fno-pic -no-pie -fno-stack-protector -fcf-protection=none -mno-sse -fno-builtin \
        -fno-asynchronous-unwind-tables -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack \
        -Wl,-Ttext=$load_address -Wl,--entry=_start -DKERNEL_ADDRESS="$entry" -DPACKED_KERNEL="\"$work/vmlinux.lz4\"" \
        -Wa,-I"$work" -o "$work/unpacker.elf" "$here/tiny/kernel/start.S" "$here/tiny/kernel/unpack.c"
    objcopy -O binary "$work/unpacker.elf" "$work/unpacker"
    packed_end=$((0x$(nm "$work/unpacker.elf" | sed -n 's/ . stack_end$//p')))
    if [ $packed_end -gt $((entry)) ]; then
        echo "kernel: $packed_end is beyond $entry where it must unpack itself" >&2
        return 1
    fi
    head -c "$setup_bytes" "$1" >"$2"
    cat "$work/unpacker" >>"$2"
    patch "$2" 0x1f4 "$(le32 $((($(stat -c %s "$work/unpacker") + 15) / 16)))"
    patch "$2" 0x234 '\000'              # not relocatable,
    patch "$2" 0x236 '\000\000'          # neither a 64-bit nor an EFI entry point,
    patch "$2" 0x258 "$(le32 $load_address)"
    patch "$2" 0x260 "$(le32 $(($(u32 "$1" 0x260) + entry - load_address)))"
    rm -f "$work"/vmlinux* "$work"/unpacker*
}

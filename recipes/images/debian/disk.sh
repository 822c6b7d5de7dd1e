# A bootable disk image from a root file system: GPT with the partitions of the distributions' cloud images
# (14: GRUB for BIOS, 15: EFI system partition, 1: root, last so that it can grow). Sourced.
# No loop devices, no mounts: every part is made as a file and copied into place.

grub_packages="grub-common grub-pc-bin grub-efi-amd64-bin"

bios_start=2048      # sectors of 512 bytes: 1 MiB in, 1 MiB long
esp_start=4096
esp_sectors=32768    # 16 MiB
root_start=36864
root_label=rootfs

# grub_core GRUB_TREE FORMAT OUTPUT MODULE... : a GRUB that reads /boot/grub/grub.cfg of the disk labelled $root_label.
grub_core() {
    grub_tree=$1 grub_format=$2 grub_output=$3
    shift 3
    printf 'search --no-floppy --label %s --set=root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n' \
        "$root_label" >"$grub_output.cfg"
    "$grub_tree/usr/bin/grub-mkimage" -d "$grub_tree/usr/lib/grub/$grub_format" -O "$grub_format" -p /boot/grub \
        -c "$grub_output.cfg" -o "$grub_output" \
        part_gpt part_msdos ext2 search search_label linux normal configfile echo serial "$@"
}

# patch FILE OFFSET OCTAL : overwrites bytes of a file, given as printf escapes.
patch() { printf "$3" | dd of="$1" bs=1 seek="$(($2))" conv=notrunc status=none; }

# put FILE DISK SECTOR : copies a file into the disk at a sector, keeping holes.
put() { dd if="$1" of="$2" bs=512 seek="$3" conv=notrunc,sparse status=none; }

# install_grub_for_bios GRUB_TREE DISK : what grub-install does, on a file.
# boot.img's field at 0x5c is the sector of the core; core.img's first sector ends in a block list (0x1f4: sector
# of the rest, count, segment 0x820), and the two bytes at 0x66 of boot.img are a jump over the check of the drive
# number that a BIOS passes; grub-install, too, makes it fall through for hard disks.
install_grub_for_bios() {
    grub_core "$1" i386-pc "$work/core.img" biosdisk
    cp "$1/usr/lib/grub/i386-pc/boot.img" "$work/boot.img"
    truncate -s 440 "$work/boot.img"
    patch "$work/boot.img" 0x5c '\000\010\000\000\000\000\000\000\377'
    patch "$work/boot.img" 0x66 '\220\220'
    core_rest=$((($(stat -c %s "$work/core.img") + 511) / 512 - 1))
    patch "$work/core.img" 0x1f4 '\001\010\000\000\000\000\000\000'
    patch "$work/core.img" 0x1fc "$(printf '\\%03o\\%03o' $((core_rest % 256)) $((core_rest / 256)))"'\040\010'
    dd if="$work/boot.img" of="$2" conv=notrunc status=none
    put "$work/core.img" "$2" $bios_start
}

make_esp() {
    grub_core "$1" x86_64-efi "$work/bootx64.efi" fat
    truncate -s $((esp_sectors * 512)) "$2"
    mkfs.vfat -n ESP "$2" >/dev/null
    mmd -i "$2" ::/EFI ::/EFI/BOOT
    mcopy -i "$2" "$work/bootx64.efi" ::/EFI/BOOT/BOOTX64.EFI
}

# assemble_disk GRUB_TREE ROOT_EXT4 DISK_QCOW2
assemble_disk() {
    disk=$work/disk.raw
    root_sectors=$(($(stat -c %s "$2") / 512))
    truncate -s $(((root_start + root_sectors + 2048) * 512)) "$disk"
    sfdisk -q "$disk" <<PARTITIONS
label: gpt
14: start=$bios_start, size=2048, type=21686148-6449-6E6F-744E-656564454649
15: start=$esp_start, size=$esp_sectors, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
1: start=$root_start, size=$root_sectors, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709
PARTITIONS
    make_esp "$1" "$work/esp.img"
    put "$work/esp.img" "$disk" $esp_start
    put "$2" "$disk" $root_start
    install_grub_for_bios "$1" "$disk"
    qemu-img convert -f raw -O qcow2 "$disk" "$3"
    rm -f "$disk"
}

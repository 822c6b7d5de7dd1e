#!/bin/sh
# Everything that a boot does before anybody can log in.
export PATH=/bin
seed=/run/holos/seed

mount_kernel_file_systems() {
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mount -t tmpfs -o mode=0755 run /run
    mount -t tmpfs -o mode=1777 tmp /tmp
    mkdir -p /dev/pts /dev/shm /run/dropbear "$seed"
    chmod 700 /run/holos
    mount -t devpts -o gid=5,mode=620 pts /dev/pts
}

# What the seed, the network, the report port and the power button need; the rest can wait, see rc.late.
load_modules() { modprobe -a virtio_net isofs virtio_console virtio_rng button evdev; }

# ISO 9660: the primary volume descriptor is at 32768; its volume identifier begins at byte 40.
find_seed() {
    for device in /dev/vd?; do
        if [ "$(dd if="$device" bs=8 skip=4101 count=1 2>/dev/null)" = "cidata  " ]; then
            echo "$device"
            return
        fi
    done
    return 1
}

card_with_address() {
    for card in /sys/class/net/*; do
        if [ "$(cat "$card/address")" = "$1" ]; then
            echo "${card##*/}"
        fi
    done
}

take_dhcp() { udhcpc -i "$1" -s /etc/rc.dhcp -x "hostname:$(hostname)" -t 5 -T 1 -A 5 -b -S >/dev/null 2>&1; }

bring_up_network() {
    ip link set lo up
    if [ ! -e "$seed/holos/network" ]; then
        ip link set eth0 up && take_dhcp eth0
        return
    fi
    while read -r address setting; do
        card=$(card_with_address "$address")
        [ -n "$card" ] || continue
        ip link set "$card" up
        case $setting in
            dhcp) take_dhcp "$card" ;;
            *) ip addr add "$setting" dev "$card" ;;
        esac
    done <"$seed/holos/network"
}

allow_keys() {
    [ -e "$seed/holos/authorized_keys" ] || return
    mkdir -p /root/.ssh
    chmod 700 /root/.ssh
    touch /root/.ssh/authorized_keys
    chmod 600 /root/.ssh/authorized_keys
    while read -r key; do
        grep -qxF -- "$key" /root/.ssh/authorized_keys || echo "$key" >>/root/.ssh/authorized_keys
    done <"$seed/holos/authorized_keys"
}

mount_kernel_file_systems
load_modules
acpid -c /etc/acpi -l /dev/null
if device=$(find_seed); then
    mount -t iso9660 -o ro "$device" "$seed"
    hostname "$(sed -n 's/^local-hostname: *//p' "$seed/meta-data" | tr -d '"')"
fi
bring_up_network
allow_keys
if [ -e "$seed/holos/boot.sh" ]; then
    sh "$seed/holos/boot.sh"
fi
echo "tiny: $(hostname) is up after $(cut -d ' ' -f 1 /proc/uptime) s"

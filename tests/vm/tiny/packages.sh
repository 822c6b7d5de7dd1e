# What build-tiny asks of packages, beside what the recipes of images do. Sourced.

# closure NAME... : the packages and everything they depend on, sorted.
closure() {
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "$@" | grep '^[a-z0-9]' | LC_ALL=C sort -u
}

# kernel_packages META : the packages that hold the kernel image and modules of a kernel's meta package.
kernel_packages() { closure "$1" | grep -E '^linux-(image|modules)'; }

# become_root_of_a_namespace SCRIPT ARGUMENT... : file owners in the image are right only when uid 0 makes the tree.
become_root_of_a_namespace() {
    if [ "$(id -u)" != 0 ]; then
        exec unshare --map-root-user -- "$@"
    fi
}

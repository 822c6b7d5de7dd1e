# Distribution packages for the image recipes, taken the way this machine's own apt takes them.
# Sourced. Nothing is installed: packages are downloaded and unpacked into a directory.

# Features of ext4 that every e2fsprogs of these years can make, every kernel can mount and GRUB 2.06 can read.
ext4_features=none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file
ext4_features=$ext4_features,huge_file,dir_nlink,extra_isize,metadata_csum

apt_get() { apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 "$@"; }

# first_known NAME... : the first package name that apt has an installation candidate for.
first_known() {
    for package; do
        if apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [^(]'; then
            echo "$package"
            return
        fi
    done
    echo "apt knows none of: $*; run apt-get update" >&2
    return 1
}

# identify NAME... : file name, size and digest of the versions that would be downloaded, without mirror names.
identify() { apt_get download --print-uris "$@" | awk '{ print $2, $3, $4 }' | LC_ALL=C sort; }

# unpack DIRECTORY NAME... : downloads the packages and unpacks them there.
unpack() {
    unpack_to=$1
    shift
    mkdir -p "$unpack_to" "$unpack_to.debs"
    (cd "$unpack_to.debs" && apt_get download "$@")
    for deb in "$unpack_to.debs"/*.deb; do
        dpkg-deb -x "$deb" "$unpack_to"
    done
    rm -rf "$unpack_to.debs"
}

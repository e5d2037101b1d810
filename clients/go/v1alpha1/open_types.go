package v1alpha1

// The types that keep what they do not know: each reads and writes its own fields and those of Unknown.

// UnmarshalJSON keeps the fields that the type does not have.
func (in *ContainerNetwork) UnmarshalJSON(data []byte) error {
	type known ContainerNetwork
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in ContainerNetwork) MarshalJSON() ([]byte, error) {
	type known ContainerNetwork
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *CreatingStep) UnmarshalJSON(data []byte) error {
	type known CreatingStep
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in CreatingStep) MarshalJSON() ([]byte, error) {
	type known CreatingStep
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *DriverState) UnmarshalJSON(data []byte) error {
	type known DriverState
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in DriverState) MarshalJSON() ([]byte, error) {
	type known DriverState
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *LVMConfig) UnmarshalJSON(data []byte) error {
	type known LVMConfig
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in LVMConfig) MarshalJSON() ([]byte, error) {
	type known LVMConfig
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *ModelArtsPoolSpec) UnmarshalJSON(data []byte) error {
	type known ModelArtsPoolSpec
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in ModelArtsPoolSpec) MarshalJSON() ([]byte, error) {
	type known ModelArtsPoolSpec
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *ModelArtsPoolStatus) UnmarshalJSON(data []byte) error {
	type known ModelArtsPoolStatus
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in ModelArtsPoolStatus) MarshalJSON() ([]byte, error) {
	type known ModelArtsPoolStatus
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolAZ) UnmarshalJSON(data []byte) error {
	type known PoolAZ
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolAZ) MarshalJSON() ([]byte, error) {
	type known PoolAZ
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolAZCount) UnmarshalJSON(data []byte) error {
	type known PoolAZCount
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolAZCount) MarshalJSON() ([]byte, error) {
	type known PoolAZCount
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolCluster) UnmarshalJSON(data []byte) error {
	type known PoolCluster
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolCluster) MarshalJSON() ([]byte, error) {
	type known PoolCluster
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolClusterStatus) UnmarshalJSON(data []byte) error {
	type known PoolClusterStatus
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolClusterStatus) MarshalJSON() ([]byte, error) {
	type known PoolClusterStatus
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolDriver) UnmarshalJSON(data []byte) error {
	type known PoolDriver
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolDriver) MarshalJSON() ([]byte, error) {
	type known PoolDriver
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolDriverStatus) UnmarshalJSON(data []byte) error {
	type known PoolDriverStatus
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolDriverStatus) MarshalJSON() ([]byte, error) {
	type known PoolDriverStatus
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolNetwork) UnmarshalJSON(data []byte) error {
	type known PoolNetwork
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolNetwork) MarshalJSON() ([]byte, error) {
	type known PoolNetwork
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolOS) UnmarshalJSON(data []byte) error {
	type known PoolOS
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolOS) MarshalJSON() ([]byte, error) {
	type known PoolOS
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolPlugin) UnmarshalJSON(data []byte) error {
	type known PoolPlugin
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolPlugin) MarshalJSON() ([]byte, error) {
	type known PoolPlugin
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolResource) UnmarshalJSON(data []byte) error {
	type known PoolResource
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolResource) MarshalJSON() ([]byte, error) {
	type known PoolResource
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolResourceCount) UnmarshalJSON(data []byte) error {
	type known PoolResourceCount
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolResourceCount) MarshalJSON() ([]byte, error) {
	type known PoolResourceCount
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolScopeStatus) UnmarshalJSON(data []byte) error {
	type known PoolScopeStatus
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolScopeStatus) MarshalJSON() ([]byte, error) {
	type known PoolScopeStatus
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolStatusResources) UnmarshalJSON(data []byte) error {
	type known PoolStatusResources
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolStatusResources) MarshalJSON() ([]byte, error) {
	type known PoolStatusResources
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolTag) UnmarshalJSON(data []byte) error {
	type known PoolTag
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolTag) MarshalJSON() ([]byte, error) {
	type known PoolTag
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolTaint) UnmarshalJSON(data []byte) error {
	type known PoolTaint
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolTaint) MarshalJSON() ([]byte, error) {
	type known PoolTaint
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *PoolVolume) UnmarshalJSON(data []byte) error {
	type known PoolVolume
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in PoolVolume) MarshalJSON() ([]byte, error) {
	type known PoolVolume
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *ResourceDriver) UnmarshalJSON(data []byte) error {
	type known ResourceDriver
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in ResourceDriver) MarshalJSON() ([]byte, error) {
	type known ResourceDriver
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *ResourceNetwork) UnmarshalJSON(data []byte) error {
	type known ResourceNetwork
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in ResourceNetwork) MarshalJSON() ([]byte, error) {
	type known ResourceNetwork
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *UserLogin) UnmarshalJSON(data []byte) error {
	type known UserLogin
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in UserLogin) MarshalJSON() ([]byte, error) {
	type known UserLogin
	return marshalOpen(known(in), in.Unknown)
}

// UnmarshalJSON keeps the fields that the type does not have.
func (in *VolumeGroupConfig) UnmarshalJSON(data []byte) error {
	type known VolumeGroupConfig
	return unmarshalOpen(data, (*known)(in), &in.Unknown)
}

// MarshalJSON writes the fields that the type does not have, too.
func (in VolumeGroupConfig) MarshalJSON() ([]byte, error) {
	type known VolumeGroupConfig
	return marshalOpen(known(in), in.Unknown)
}
